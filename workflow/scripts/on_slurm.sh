#!/usr/bin/env bash
# Runs a training's COMMAND in a Slurm job: TASKS processes on each of NODES nodes, one for each of GPUS GPUs.
# Where it leaves with 85 (to be continued) the job puts itself back into the queue, and its next round goes
# on from the state folder. Every other exit ends the job.
# Usage: on_slurm.sh NODES TASKS CPUS GPUS COMMAND...   (TASKS and GPUS of a node, CPUS of a task)
set -u
nodes=$1 tasks=$2 cpus=$3 gpus=$4
shift 4

geometry=(--nodes="$nodes" --ntasks="$((nodes * tasks))" --ntasks-per-node="$tasks" --cpus-per-task="$cpus")
if [ "$gpus" -gt 0 ]; then
    geometry+=(--gpus-per-node="$gpus")
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$cpus}

# Slurm's signal before the time limit reaches every process of a step; a shell or a Python that still starts
# would die of it. --wait: so long the other processes may take to end after the first one has.
code=0
srun "${geometry[@]}" --wait=300 bash -c 'trap "" USR1; exec "$@"' bash "$@" --launcher slurm || code=$?
echo "job $SLURM_JOB_ID: the training's processes ended with $code" >&2

if [ "$code" -eq 85 ]; then
    # Slurm ends this shell while it sleeps; an exit would end the job instead.
    scontrol requeue "$SLURM_JOB_ID" && sleep 300
fi
exit "$code"
