#!/usr/bin/env bash
# Runs COMMAND in a Slurm job: TASKS processes on each of NODES nodes, one for each of GPUS GPUs. The job puts
# itself back into the queue, and its next round goes on from what the state folder keeps, where COMMAND
#   - leaves with 85, to be continued: as often as that happens;
#   - fails after it got further than any round before, as by a node's fault: three times in all;
#   - keeps no state and meets its time limit (measure, score): three times in all, each from the beginning.
# Every other exit ends the job. The first process that fails ends the others.
# Usage: on_slurm.sh NODES TASKS CPUS GPUS COMMAND...   (TASKS and GPUS of a node, CPUS of a task)
set -u
nodes=$1 tasks=$2 cpus=$3 gpus=$4
shift 4
FAULTS=3
CONTINUED=85
SIGNALLED=138 # 128 + USR1

geometry=(--nodes="$nodes" --ntasks="$((nodes * tasks))" --ntasks-per-node="$tasks" --cpus-per-task="$cpus")
if [ "$gpus" -gt 0 ]; then
    geometry+=(--gpus-per-node="$gpus")
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$cpus}

state='' previous=''
for word in "$@"; do
    [ "$previous" = --state ] && state=$word
    previous=$word
done
case " $* " in *" r3cnn train "* | *" r3cnn predict "*) set -- "$@" --launcher slurm ;; esac

rounds=.snakemake/rounds/$SLURM_JOB_ID
mkdir -p "${rounds%/*}"
touch "$rounds"
rm -f "$rounds.left"

# Steps of a training, files of a prediction.
kept() {
    [ -n "$state" ] || { echo 0; return; }
    find "$state" \( -name train.jsonl -exec cat {} + \) -o \( -name '*.parquet' -print \) 2>/dev/null | wc -l
}

# A process that is to be continued ends with 0 beside its mark, since any other code would kill the others, which
# end a moment later. USR1 is Slurm's signal before the time limit, to every process of a step: a shell or a Python
# that still starts would die of it. TERM is answered by COMMAND.
task='
left=$1 codes=$2 state=$3
shift 3
if [ -n "$state" ]; then trap "" USR1; else trap : USR1; fi
trap : TERM
"$@"
code=$?
for one in $codes; do
    if [ "$code" -eq "$one" ]; then
        [ "${SLURM_PROCID:-0}" -ne 0 ] || echo "$code" >"$left"
        exit 0
    fi
done
exit "$code"'

# patiently COMMAND...: again and again while Slurm's controller is away, for two hours.
patiently() {
    for _ in $(seq 720); do
        "$@" && return
        sleep 10
    done
    return 1
}

before=$(kept) code=0
patiently scontrol show job "$SLURM_JOB_ID" >/dev/null || exit 1
# --wait: so long the other processes may take to end after the first one has.
srun "${geometry[@]}" --kill-on-bad-exit=1 --wait=300 \
    bash -c "$task" bash "$rounds.left" "$CONTINUED $SIGNALLED" "$state" "$@" || code=$?
if [ -e "$rounds.left" ]; then
    code=$(cat "$rounds.left")
fi
echo "job $SLURM_JOB_ID: the processes ended with $code" >&2
if [ "$code" -eq 137 ]; then
    echo "job $SLURM_JOB_ID: killed from outside, as where memory runs out: compare MaxRSS with ReqMem in" \
        "\`sacct -j $SLURM_JOB_ID -o JobID,State,MaxRSS,ReqMem\`, raise \`memory\` in slurm/config.yaml" >&2
fi

# again WHY: Slurm ends this shell while it sleeps; an exit would end the job instead.
again() {
    echo "job $SLURM_JOB_ID: back into the queue: $1" >&2
    patiently scontrol requeue "$SLURM_JOB_ID" && sleep 300
    exit "$code"
}

faults=$(wc -l <"$rounds")
if [ "$code" -eq "$CONTINUED" ]; then
    again "to be continued"
elif [ "$code" -ne 0 ] && [ "$faults" -lt "$FAULTS" ]; then
    after=$(kept)
    if [ "$code" -eq "$SIGNALLED" ] || [ "$after" -gt "$before" ]; then
        echo "$code $after" >>"$rounds"
        again "fault $((faults + 1)) of $FAULTS at most, ${after} kept"
    fi
fi
exit "$code"
