#!/bin/sh
# guestfish and hivexget: SkipRearm. guestfish starts a virtual machine and copies the hive out of it.
set -eu
hive=$(mktemp)
trap 'rm -f "$hive"' EXIT
guestfish --ro --format=vpc -a "$1" run : mount-ro /dev/sda1 / : download /Windows/System32/config/SOFTWARE "$hive"
hivexget "$hive" 'Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform' SkipRearm
