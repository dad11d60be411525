# Sourced by the batch scripts: a search that SLURM's time limit interrupts goes on in the next run of the job.
source cluster/interruptible.sh

# Called before the job queues again or ends; what has more to leave than a search overrides it.
leave_nodes() { :; }

# Run a command that starts start_or_resume.sh with $JOB_FOLDER on this node. SIGUSR1, which SLURM sends before the time
# limit, stops the search in order, and the job queues again. SIGTERM, from `scancel --batch --signal=TERM`, stops it for
# good; a mere `scancel` ends Ray on all nodes with it.
run_and_requeue() {
    local status=0
    run_interruptible "$@" || status=$?
    leave_nodes
    if [ $interrupted = USR1 ] && [ $status -ne 0 ]; then
        echo "Interrupted before the time limit; queueing again"
        scontrol requeue "$SLURM_JOB_ID"
    fi
    return $status
}
