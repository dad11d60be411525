#!/usr/bin/env bash
# The head of a Ray cluster and the search on it. Usage: head.sh RUN WORKERS SCRIPT [FLAGS]
#
# runs/RUN/ray_address tells the workers where to join; runs/RUN/ended sends them home.
# Exits with 130 where the search was interrupted and can go on: the job stays in the queue.
set -euo pipefail
run=$1 workers=$2
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)} # HTCondor does not set it everywhere
export HOME
source cluster/environment.sh
source cluster/interruptible.sh
JOB_FOLDER="$PWD/runs/$run"
mkdir -p "$JOB_FOLDER"
rm -f "$JOB_FOLDER/ended" "$JOB_FOLDER/ray_address"
make_token

# Several jobs may share a node: a temporary folder of this one, and ports that the system chooses.
scratch=$(mktemp -d /tmp/ray-XXXXXX)
free_port=$(python -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
ray start --head --block --node-ip-address="$(own_address)" --port=0 --num-cpus=0 --num-gpus=0 \
    --include-dashboard=false --ray-client-server-port="$free_port" --dashboard-agent-listen-port=0 \
    --min-worker-port=0 --max-worker-port=0 --temp-dir="$scratch" >"$JOB_FOLDER/ray-head.log" 2>&1 &
ray=$!
# shellcheck disable=SC2329 # the trap runs it
end() {
    local status=$?
    [ "$status" -eq 130 ] || touch "$JOB_FOLDER/ended"
    rm -f "$JOB_FOLDER/ray_address"
    kill -TERM "$ray" 2>/dev/null && wait "$ray" || true
    rm -rf "$scratch"
}
trap end EXIT

until [ -s "$scratch/ray_current_cluster" ]; do
    if ! kill -0 $ray 2>/dev/null; then
        cat "$JOB_FOLDER/ray-head.log" >&2
        exit 1
    fi
    sleep 1
done
RAY_ADDRESS=$(cat "$scratch/ray_current_cluster")
export RAY_ADDRESS
echo "$RAY_ADDRESS" >"$JOB_FOLDER/ray_address.tmp"
mv "$JOB_FOLDER/ray_address.tmp" "$JOB_FOLDER/ray_address"

status=0
run_interruptible python cluster/wait_for_nodes.py $((workers + 1)) --minutes 1440 || status=$?
if [ $status -eq 0 ] && [ $interrupted = no ]; then
    run_interruptible bash cluster/start_or_resume.sh "$JOB_FOLDER" "$@" || status=$?
fi
if [ $interrupted != no ] && [ $status -ne 0 ]; then
    exit 130
fi
exit $status
