#!/usr/bin/env bash
# Waits until Slurm has no job of this folder: a Snakemake that was killed leaves its jobs behind, and the next
# one would submit the same work again. `scancel ID` ends the waiting sooner.
set -u

# Without a configuration file Slurm's client looks for one for a minute, on every machine that has the package.
patience=60
[ -e "${SLURM_CONF:-/etc/slurm/slurm.conf}" ] || [ -e /run/slurm/conf/slurm.conf ] || patience=3

left() {
    timeout "$patience" squeue --noheader --me --format='%i|%T|%k|%Z' 2>/dev/null |
        awk -F'|' -v here="$PWD" -v there="$(pwd -P)" \
            '$4 == here || $4 == there { print "  job " $1 ", " tolower($2) ": " $3 }'
}

said=
while jobs=$(left) && [ -n "$jobs" ]; do
    if [ "$jobs" != "$said" ]; then
        printf 'Waiting for jobs that an earlier run left on Slurm (scancel ends them):\n%s\n' "$jobs" >&2
        said=$jobs
    fi
    sleep 5
done
