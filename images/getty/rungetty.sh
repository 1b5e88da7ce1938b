#!/bin/sh
# Keeps a getty on every console of the kernel command line, or, when it names
# none, on those the kernel chose itself.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# /etc/getty.shadow of the image replaces the passwords here, of which root's is
# one that nothing matches.
if [ -f /hostroot/etc/getty.shadow ]; then
	cat /hostroot/etc/getty.shadow >/etc/shadow
fi

option() {
	# Words of the command line have no blanks that matter here.
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}

consoles() {
	named=$(option console)
	[ -n "$named" ] || named=$(tr ' ' '\n' </sys/class/tty/console/active)
	echo "$named" | awk -F, '!seen[$1]++'
}

# The kind of terminal on the host, as far as programs of common distributions know it.
terminal() {
	kind=$(option slipway.term | tail -n 1)
	case $kind in
	ansi | linux | rxvt | rxvt-unicode | rxvt-unicode-256color | screen | screen-256color | tmux | tmux-256color | vt102 | vt220 | xterm | xterm-color | xterm-256color) echo "$kind" ;;
	xterm-*) echo xterm ;;
	*) echo vt100 ;;
	esac
}

# One getty after the other on a console, given as in console=$1.
keep() {
	speed=$(echo "${1#"${1%%,*}"}" | sed 's/^,//; s/[^0-9].*//')
	set -- "${1%%,*}"
	case $1 in
	ttyS* | ttyAMA* | ttyUSB* | ttyMFD*) set -- "$1" "${speed:-115200}" "$(terminal)" ;;
	tty[0-9]*) set -- "$1" "${speed:-38400}" linux ;;
	*) set -- "$1" "${speed:-115200}" vt100 ;;
	esac
	auto=
	[ "$INSECURE" != true ] || auto=-n
	export CONSOLE="$1"
	while :; do
		# shellcheck disable=SC2086 # nothing or -n
		getty -L -i $auto -l /usr/bin/enter "$2" "$1" "$3"
		sleep 1
	done
}

size=$(option slipway.winsize | tail -n 1)
case $size in
*[0-9]x[0-9]*) export COLUMNS_ROWS="${size%x*} ${size#*x}" ;;
esac

# All consoles given, at the same time. A list behind & would have SIGINT and SIGQUIT
# ignored, and so would every program that is ever started on the console, which no
# shell takes back. The parts of a pipeline are started with nothing ignored.
keep_all() {
	if [ $# -gt 1 ]; then
		keep "$1" >&2 | (shift && keep_all "$@")
	else
		keep "$1"
	fi
}

present=
for c in $(consoles); do
	if [ -c "/dev/${c%%,*}" ]; then
		present="$present $c"
	else
		echo "getty: no console ${c%%,*}: /dev/${c%%,*} is not a character device" >&2
	fi
done
if [ -z "$present" ]; then
	echo "getty: no console" >&2
	exit 1
fi
# The prompt is to stand below the lines of the boot, but not to wait for a service
# that never gets ready.
tries=0
while [ -e /run/slipway/booting ] && [ $tries -lt 50 ]; do
	usleep 200000
	tries=$((tries + 1))
done
# shellcheck disable=SC2086 # a list of words
keep_all $present
