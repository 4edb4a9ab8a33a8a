#!/bin/sh
# guestfish and hivexregedit: SkipRearm 0, both token stores removed. guestfish starts a virtual machine.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/edit.reg" << 'END'
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform]
"SkipRearm"=dword:00000000
END
guestfish --rw --format=vpc -a "$1" << END
run
mount /dev/sda1 /
download /Windows/System32/config/SOFTWARE $work/hive
! hivexregedit --merge --prefix 'HKEY_LOCAL_MACHINE\\SOFTWARE' $work/hive $work/edit.reg
upload $work/hive /Windows/System32/config/SOFTWARE
rm /Windows/System32/spp/store/2.0/tokens.dat
rm /Windows/ServiceProfiles/NetworkService/AppData/Roaming/Microsoft/SoftwareProtectionPlatform/tokens.dat
umount-all
END
