package machine

// Words of ours on the kernel's command line, as WORD=VALUE; "reader: value".
// bundle.Prefix is before each, as it is before annotations.
const (
	OptionConsole  = "slipway.console"  // PID 1: quiet
	OptionModules  = "slipway.modules"  // PID 1: unsigned
	OptionReport   = "slipway.report"   // service: what becomes of the machine at its report
	OptionRuntime  = "slipway.runtime"  // service, and the builder: an OCI runtime
	OptionWatchdog = "slipway.watchdog" // service: off, or a duration
	OptionWindow   = "slipway.winsize"  // getty: COLUMNSxROWS of the window on the host
	OptionTerm     = "slipway.term"     // getty: TERM of the terminal on the host
)
