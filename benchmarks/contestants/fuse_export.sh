#!/bin/sh
# qemu-storage-daemon (FUSE), ntfs-3g and hivexregedit: SkipRearm 0, both token stores removed. No journal, no undo.
# Usage: fuse_export.sh DISK OFFSET LENGTH copy|place
#   OFFSET, LENGTH  the partition
#   copy            the hive is copied out, merged and written over the old one; place: merged where it lies
set -eu
work=$(mktemp -d)
mkdir "$work/mount"
: > "$work/volume"
qemu-storage-daemon --daemonize --pidfile "$work/pid" \
    --blockdev "driver=file,node-name=file,filename=$1" \
    --blockdev driver=vpc,node-name=disk,file=file \
    --blockdev "driver=raw,node-name=volume,file=disk,offset=$2,size=$3" \
    --export "type=fuse,id=volume,node-name=volume,mountpoint=$work/volume,writable=on"
ntfs-3g -o big_writes,noatime "$work/volume" "$work/mount"
windows=$work/mount/Windows
hive=$windows/System32/config/SOFTWARE
cat > "$work/edit.reg" << 'END'
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform]
"SkipRearm"=dword:00000000
END
if [ "$4" = copy ]; then
    cp "$hive" "$work/hive"
    hivexregedit --merge --prefix 'HKEY_LOCAL_MACHINE\SOFTWARE' "$work/hive" "$work/edit.reg"
    dd if="$work/hive" of="$hive" bs=1M conv=notrunc status=none
else
    hivexregedit --merge --prefix 'HKEY_LOCAL_MACHINE\SOFTWARE' "$hive" "$work/edit.reg"
fi
rm "$windows/System32/spp/store/2.0/tokens.dat"
rm "$windows/ServiceProfiles/NetworkService/AppData/Roaming/Microsoft/SoftwareProtectionPlatform/tokens.dat"
umount "$work/mount"
# Both go on writing in the background for a moment.
while pgrep -f "ntfs-3g.*$work/volume" > /dev/null; do sleep 0.01; done
daemon=$(cat "$work/pid")
kill "$daemon"
while kill -0 "$daemon" 2> /dev/null; do sleep 0.01; done
rm -rf "$work"
