#!/usr/bin/env bash
# Starts a search, or goes on with it where a former start of the same job left one.
#
#     bash cluster/start_or_resume.sh JOB SCRIPT [FLAGS]
#
# JOB is a folder of this job alone, such as runs/slurm-7. The search is runs/<study>/slurm-7, its board runs/leaderboard.
# JOB/search.pid holds the process, for whoever has to stop it in order (SIGTERM).
set -euo pipefail
job=$1 script=$2
shift 2
mkdir -p "$job"
echo $$ >"$job/search.pid"
exec python "$script" --output "$(dirname "$job")" --name "$(basename "$job")" "$@"
