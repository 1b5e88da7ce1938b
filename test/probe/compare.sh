#!/bin/sh
# Compares outcomes of the probe with those that are expected, or, if $RENEW is
# set, makes them the expected ones. With another OCI runtime in the place of runc
# ($SLIPWAY_ENGINE), EXPECTED without .txt and with its name has what ends otherwise.
#   compare.sh EXPECTED GOT
if [ -n "$RENEW" ]; then
	cp "$2" "$1"
fi
others=${1%.txt}.$SLIPWAY_ENGINE.txt
[ -f "$others" ] || others=/dev/null
awk -F'\t' 'FILENAME == ARGV[1] { other[$1 FS $2] = $0; next } ($1 FS $2) in other { $0 = other[$1 FS $2] } { print }' "$others" "$1" |
	diff -U0 - "$2" || {
	echo "attacks end in another way; if that is meant, 'make security' renews the table"
	exit 1
}
