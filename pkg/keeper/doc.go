// Package keeper keeps what must outlive the supervisor: its containers, whose
// processes become the keeper's children, and how they ended.
//
// The keeper is the closest ancestor that orphans go to: PID 1 in an image with
// our init, or, under another init, the small daemon that `020-services` leaves
// behind. It reaps every orphan and enters its exit status in the Ledger, a
// file of fixed size below /run/slipway. The supervisor holds a pidfd of each
// container to notice its end and looks into the ledger for the status, whether
// it was alive at that moment or was started again since: the normal path and
// the path after a kill -9 are the same.
package keeper
