# Process 1 of the guest, by bash. /boot is a folder of the machine's: settings and pytest's arguments
# come from there, output and exit status go there.
#
# The server has the volume and two networks. Each host, a and b, is a network, mount and host-name
# namespace: a client of its own to the server, with its own cache, and the volume at /mnt/efs as an
# ECS task has it. A host reaches the volume through its interface `volume` and CloudWatch through
# `cloudwatch`; the other ends, volume-a and so on, are what a test takes down to cut it off.
export HOME=/tmp LANG=C.UTF-8
export PYTHONPATH=/checkout:/opt/site PYTHONUNBUFFERED=1
# What Amazon recommends for EFS, but for noresvport's reconnecting; nosharecache keeps a and b apart.
OPTIONS=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,nosharecache

end() { sync; echo o >/proc/sysrq-trigger; sleep 60; }
fail() { echo "init: $1"; end; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts
for folder in /checkout /dev/shm /run /tmp /var/tmp /var/lib/nfs; do mount -t tmpfs -o mode=1777 none $folder; done
mkdir -p /run/netns /run/lock /run/hosts /run/rpc_pipefs
. /boot/settings
mount -t hostfs none /mnt -o ro,"$checkout" || fail "no checkout"
cp -r /mnt/{pyproject.toml,sidecar,tests} /checkout
umount /mnt
mount -t ext4 /dev/ubda /srv/efs || fail "no volume"
chmod 1777 /srv/efs
hostname server
ip link set lo up

networks="volume:10.77.0 cloudwatch:10.78.0"
for each in $networks; do
  network=${each%:*}
  ip link add "$network" type bridge
  ip addr add "${each#*:}.1/24" dev "$network"
  ip link set "$network" up
  number=2
  for host in a b; do
    [ -e /run/netns/$host ] || { ip netns add $host; ip -n $host link set lo up; }
    ip link add "$network-$host" type veth peer name "$network" netns $host
    ip link set "$network-$host" master "$network" up
    ip -n $host addr add "${each#*:}.$((number++))/24" dev "$network"
    ip -n $host link set "$network" up
  done
done

modprobe -a nfsd nfsv4
mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
mkdir -p /var/lib/nfs/{v4recovery,nfsdcld,rpc_pipefs,sm,sm.bak}
touch /var/lib/nfs/{etab,rmtab,state}
mount -t rpc_pipefs rpc /var/lib/nfs/rpc_pipefs
mount --bind /var/lib/nfs/rpc_pipefs /run/rpc_pipefs
echo 0 >/proc/sys/fs/leases-enable # EFS gives no delegations.
echo "$lease" >/proc/fs/nfsd/nfsv4leasetime
echo "$lease" >/proc/fs/nfsd/nfsv4gracetime
echo 1048576 >/proc/fs/nfsd/max_block_size
nfsdcld
exportfs -ra
rpc.mountd -N 3
rpc.nfsd -N 3 -V 4.1 8 || fail "no NFS server"

join() { # the rest of a host's life; by one and the same id the server would take b for a, restarted
  hostname "$1"
  echo "host-$1" >/sys/fs/nfs/net/nfs_client/identifier
  mount -t nfs4 -o $OPTIONS 10.77.0.1:/ /mnt/efs || exit
  exec sleep infinity
}
export -f join
export OPTIONS
for host in a b; do
  ip netns exec $host unshare --uts bash -c "join $host" &
  echo $! >/run/hosts/$host
done
for host in a b; do
  until nsenter --target "$(cat /run/hosts/$host)" --net --mount mountpoint -q /mnt/efs; do
    sleep 0.1
    kill -0 "$(cat /run/hosts/$host)" || fail "host $host could not mount the volume"
  done
done

echo "init: up after $(cut -d ' ' -f 1 /proc/uptime) s"
cd /checkout
eval "set -- $(cat /boot/arguments)"
# The other tests' conftest wants packages that these have no use for.
setsid python3 -m pytest -p no:cacheprovider -o verbosity_assertions=2 --session-timeout="$seconds" \
  --confcutdir=tests/nfs tests/nfs "$@" >/boot/output 2>&1 </dev/null
status=$?
dmesg | tail -n 50 # to the console
echo $status >/boot/status
end
