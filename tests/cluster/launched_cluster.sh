#!/usr/bin/env bash
# `ray up`, `ray submit`, `ray rsync-down`, `ray down` with two nodes on this machine, apart from everything else on it.
#
#     unshare --pid --fork --mount-proc --net --mount bash launched_cluster.sh PROJECT PYTHON HOME TEMPORARY
#
# HOME and TEMPORARY become /mnt, root's home folder, and /tmp. HOME holds cluster.yaml and the environment that
# install.sh finds.
set -euo pipefail
project=$1 python=$2
mount --make-rprivate /
mount --bind "$3" /mnt
sed '/^root:/s|:/root:|:/mnt:|' /etc/passwd >/mnt/passwd
mount --bind /mnt/passwd /etc/passwd
environment=$("$python" -c 'import sys; print(sys.prefix)')
mount --bind "$environment" "$environment"
mount -o remount,bind,ro "$environment" # what installs into the nodes' environment must not reach this one
mount -t tmpfs tmpfs /run
mount --bind "$4" /tmp
ip link set lo up
export HOME=/mnt
PATH="$(dirname "$python"):$PATH"
unset RAY_ADDRESS

mkdir -p /run/sshd ~/.ssh
ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
ssh-keygen -q -t ed25519 -N '' -f ~/host_key
cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys
/usr/sbin/sshd -f /dev/null -h ~/host_key -o ListenAddress=127.0.0.1 -o ListenAddress=127.0.0.2 \
    -o PermitRootLogin=yes -o StrictModes=no -o PidFile=none

cd "$project"
(umask 077 && ray get-auth-token --generate >/dev/null)
ray up -y ~/cluster.yaml
ray submit ~/cluster.yaml search/atlas_gan.py -- --trials 4 --epochs 4 --seeds 1
ray submit ~/cluster.yaml search/atlas_gan.py -- --resume --trials 5
# shellcheck disable=SC2088 # the head's home folder
ray rsync-down ~/cluster.yaml '~/runs/' ~/fetched/
ray down -y ~/cluster.yaml
if pgrep -a raylet; then
    echo "ray down left the processes above" >&2
    exit 1
fi
