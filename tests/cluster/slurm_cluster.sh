#!/usr/bin/env bash
# SLURM on this machine, apart from everything else on it: a controller and nodes, each with a network, a name, processes
# and a /tmp of its own.
#
#     unshare --pid --fork --mount-proc --net --uts --mount bash slurm_cluster.sh SHARED NODES
#
# SHARED becomes /mnt on all of them, with root's home folder in it. Its file `up` appears when all nodes are idle.
set -euo pipefail
shared=$1 nodes=$2
network=10.77.0

# What one machine has for itself.
begin_machine() {
    hostname "$1"
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /tmp
    mount -t tmpfs tmpfs /dev/shm
    ip link set lo up
    mkdir -m 755 /run/munge
    munged --key-file=/mnt/slurm/munge.key --seed-file=/run/munge/seed --pid-file=/run/munge/pid \
        --log-file="/mnt/slurm/munge-$1.log"
}

node() {
    begin_machine "$1"
    slurmd -D # not exec: the shell takes up orphans that have ended
}

mount --make-rprivate /
mount --bind "$shared" /mnt
mkdir -p /mnt/home /mnt/slurm/state
sed '/^root:/s|:/root:|:/mnt/home:|' /etc/passwd >/mnt/slurm/passwd
mount --bind /mnt/slurm/passwd /etc/passwd
{
    echo "127.0.0.1 localhost"
    echo "$network.254 controller"
    for number in $(seq "$nodes"); do echo "$network.$number node$number"; done
} >/mnt/slurm/hosts
mount --bind /mnt/slurm/hosts /etc/hosts
(umask 077 && head -c 1024 /dev/urandom >/mnt/slurm/munge.key)
cat >/mnt/slurm/slurm.conf <<CONFIGURATION
ClusterName=test
SlurmctldHost=controller
SlurmUser=root
AuthInfo=cred_expire=15 # how long a requeued job waits
StateSaveLocation=/mnt/slurm/state
SlurmctldPidFile=/run/slurmctld.pid
SlurmctldLogFile=/mnt/slurm/controller.log
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/run/slurmd
SlurmdLogFile=/mnt/slurm/%n.log
SlurmdParameters=config_overrides # CPUs and memory of a node, whatever this machine has
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MessageTimeout=60 # this machine may be busy
MinJobAge=3600 # ended jobs can be asked for
NodeName=node[1-$nodes] CPUs=2 RealMemory=64000
PartitionName=all Nodes=ALL State=UP
CONFIGURATION
export SLURM_CONF=/mnt/slurm/slurm.conf HOME=/mnt/home

begin_machine controller
ip link add name switch type bridge
ip address add $network.254/24 dev switch
ip link set switch up
export -f node begin_machine
for number in $(seq "$nodes"); do
    name=node$number
    ip netns add "$name"
    ip link add "$name" type veth peer name eth0 netns "$name"
    ip link set "$name" master switch up
    ip -netns "$name" address add "$network.$number/24" dev eth0
    ip -netns "$name" link set eth0 up
    nsenter --net="/run/netns/$name" unshare --pid --fork --mount-proc --uts --mount \
        bash -euo pipefail -c "node $name" >"/mnt/slurm/$name.out" 2>&1 &
done
slurmctld -D >/mnt/slurm/controller.out 2>&1 &
until [ "$(sinfo --noheader --Node --states=idle 2>/dev/null | wc -l)" -eq "$nodes" ]; do sleep 0.5; done
touch /mnt/up
wait
