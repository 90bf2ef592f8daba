#!/usr/bin/env bash
# Keeps Snakemake alive for weeks as a small job of its own, with the options of `snakemake --profile slurm`:
#   sbatch --account=ACCOUNT --partition=PARTITION slurm/run.sh --config scale=paper
# Before its time limit it puts itself back into the queue. The jobs that it submitted go on meanwhile; its next
# round waits for them and goes on from there.
#SBATCH --job-name=snakemake
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=1-00:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=snakemake-%j.log
set -u
snakemake=(snakemake --profile slurm "$@")

# A round that was ended from outside left its lock.
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
    "${snakemake[@]}" --unlock
fi

"${snakemake[@]}" &
running=$!

go_on_later() {
    # KILL: an interrupted Snakemake cancels its jobs, a terminated one waits for them
    kill -KILL "$running"
    # Slurm ends this shell while it sleeps; an exit would end the job instead.
    until scontrol requeue "$SLURM_JOB_ID"; do sleep 10; done # the controller may be away
    sleep 300
    exit 1
}
trap go_on_later USR1

wait "$running"
