# Sourced by batch scripts: SIGTERM or SIGUSR1 to them stops the search in order, and they learn how it ended.
# Trials that were running go on at their last checkpoint when start_or_resume.sh is run again.

export interrupted=no # or the signal that came
signals=0
running=

# Run a command that may start start_or_resume.sh with $JOB_FOLDER on this node; returns its exit status.
run_interruptible() {
    local seen code status=127
    rm -f "$JOB_FOLDER/search.pid"
    trap 'interrupted=TERM; stop_search' TERM
    trap 'interrupted=USR1; stop_search' USR1
    "$@" &
    running=$!
    while
        seen=$signals code=0
        wait "$running" || code=$?
        [ $code -eq 127 ] || status=$code # 127: a former round has its status
        [ "$seen" -ne $signals ]          # a signal ended the wait, not the command
    do :; done
    return $status
}

stop_search() {
    local process=$running
    signals=$((signals + 1))
    if [ -s "$JOB_FOLDER/search.pid" ]; then
        process=$(cat "$JOB_FOLDER/search.pid")
    fi
    [ -z "$process" ] || kill -TERM "$process" 2>/dev/null || true
}

# A token for Ray, once for all jobs of a user, in the home folder that the nodes share.
make_token() {
    (umask 077 && ray get-auth-token --generate >/dev/null)
    chmod 600 ~/.ray/auth_token
}

# The address of this node that others reach: the name of a node may stand for its loopback address.
own_address() {
    hostname -I | cut -d ' ' -f 1
}
