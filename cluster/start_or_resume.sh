#!/usr/bin/env bash
# Starts a search, or goes on with it where a former start of the same job left one.
#
#     bash cluster/start_or_resume.sh OUTPUT SCRIPT [FLAGS]
#
# OUTPUT belongs to this job alone. Its file search.pid holds the process, for whoever has to stop it in order (SIGTERM).
set -euo pipefail
output=$1 script=$2
shift 2
resume=()
if compgen -G "$output/*/*/ledger.jsonl" >/dev/null; then
    resume=(--resume)
fi
mkdir -p "$output"
echo $$ >"$output/search.pid"
exec python "$script" --output "$output" "${resume[@]}" "$@"
