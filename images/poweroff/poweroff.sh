#!/bin/sh
# poweroff.sh [SECONDS]
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
sleep "${1:-30}"
exec poweroff -f
