#!/bin/sh
# Sleuth Kit (which reads VHD through libvhdi) and reglookup: SkipRearm. The hive has to be copied out first.
set -eu
start=$(mmls "$1" | awk '/Basic data partition/ { print $3; exit }')
inode=$(ifind -o "$start" -n /Windows/System32/config/SOFTWARE "$1")
hive=$(mktemp)
trap 'rm -f "$hive"' EXIT
icat -o "$start" "$1" "$inode" > "$hive"
found=$(reglookup -H -p '/Microsoft/Windows NT/CurrentVersion/SoftwareProtectionPlatform/SkipRearm' "$hive")
printf '%d\n' "$(echo "$found" | cut -d, -f3)"
