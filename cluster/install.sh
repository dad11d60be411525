#!/usr/bin/env bash
# Installs the project with its pinned environment on a node, and makes its shells find it.
#
#     bash install.sh [EXTRA]       # EXTRA: aws or gcp, what the head of a cloud cluster needs to start workers
#
# PYTHON names another interpreter than python3; it must be 3.11 or newer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}

exec 9>.install.lock
flock 9 # nodes that share a home folder install one after the other

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$("$python" --version) is $python; Python 3.11 or newer is needed. Set PYTHON=/path/to/python3.11" >&2
    exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".${1:+[$1]}"

# `ray submit` runs `python` in a shell that reads ~/.bashrc, and nothing else.
line="[ -r '$PWD/cluster/environment.sh' ] && source '$PWD/cluster/environment.sh'"
grep -qxF "$line" ~/.bashrc 2>/dev/null || echo "$line" >>~/.bashrc
