#!/usr/bin/env bash
# A machine that trains for the search of head.sh. Usage: worker.sh RUN CPUS GPUS
#
# Joins the head as often as there is one, until runs/RUN/ended says that the search is over.
set -euo pipefail
run=$1 cpus=$2 gpus=$3
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)} # HTCondor does not set it everywhere
export HOME
source cluster/environment.sh
JOB_FOLDER="$PWD/runs/$run"

scratch=$(mktemp -d /tmp/ray-XXXXXX)
child=
leave() {
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null && wait "$child" || true
    rm -rf "$scratch"
}
trap leave EXIT
trap 'exit 143' TERM

# In the background, so that SIGTERM is heard at once.
patiently() {
    "$@" &
    child=$!
    wait $child || true
    child=
}

until [ -e "$JOB_FOLDER/ended" ]; do
    if [ -s "$JOB_FOLDER/ray_address" ]; then
        # Several jobs may share a node: a temporary folder of this one, and ports that the system chooses.
        patiently ray start --block --address="$(cat "$JOB_FOLDER/ray_address")" --num-cpus="$cpus" --num-gpus="$gpus" \
            --object-store-memory=500000000 --dashboard-agent-listen-port=0 \
            --min-worker-port=0 --max-worker-port=0 --temp-dir="$scratch"
    fi
    patiently sleep 10
done
