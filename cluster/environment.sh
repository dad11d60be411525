# What every shell and every Ray process on a node needs. Sourced by ~/.bashrc (see install.sh) and by the batch scripts.
PATH="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv/bin:$PATH"
export PATH

# Only who has the token in ~/.ray/auth_token may use the cluster.
export RAY_AUTH_MODE=token

# The same as in search/engine/runner.py, which sets them for a Ray of its own; a cluster's nodes start before the search.
export RAY_memory_monitor_refresh_ms=0
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0

# A search on a node joins the cluster that this user has started there.
if [ -O /tmp/ray/ray_current_cluster ]; then
    export RAY_ADDRESS=auto
fi
