#!/usr/bin/env bash
# Waits until Slurm has no job of this folder that Snakemake submitted: a Snakemake that was killed leaves its jobs
# behind, and the next one would submit the same work again. `scancel ID` ends the waiting sooner. The job that
# this runs in, and sessions of the user's own, do not count.
# Usage: wait_for_jobs.sh [SECONDS]   SECONDS: how long a Slurm that does not answer is asked again; then it ends with 1
set -u
silence=${1:-600}

# Without a configuration file Slurm's client looks for one for a minute, on every machine that has the package.
configured=
for file in "${SLURM_CONF:-/etc/slurm/slurm.conf}" /run/slurm/conf/slurm.conf; do
    [ -e "$file" ] && configured=yes
done
[ -n "${SLURM_CONF_SERVER:-}${SLURM_JOB_ID:-}" ] && configured=yes
patience=60
[ "$configured" ] || patience=3

# Fails where Slurm gives no answer: that is not "no jobs".
queue() {
    timeout "$patience" squeue --noheader --me --format='%i|%T|%k|%Z'
}

left() {
    # By the environment: awk -v would read the backslashes of a name. The folder's own name may hold a |.
    here=$PWD there=$(pwd -P) own=${SLURM_JOB_ID:-} awk -F'|' '
        { folder = $0; sub(/^[^|]*[|][^|]*[|][^|]*[|]/, "", folder) }
        $1 != ENVIRON["own"] && $3 ~ /^(rule|group)_/ && (folder == ENVIRON["here"] || folder == ENVIRON["there"]) {
            print "  job " $1 ", " tolower($2) ": " $3
        }'
}

said='' silent=$SECONDS
while true; do
    if answer=$(queue 2>/dev/null); then
        silent=$SECONDS
        jobs=$(left <<<"$answer")
        [ -n "$jobs" ] || exit 0
        say="Waiting for jobs that an earlier run left on Slurm (scancel ends them):"$'\n'"$jobs"
    else
        [ "$configured" ] || exit 0 # there is no Slurm here
        say="Waiting for Slurm: squeue does not answer, so jobs of an earlier run may be left."
        if [ $((SECONDS - silent)) -ge "$silence" ]; then
            echo "Slurm has not answered for $silence s." >&2
            exit 1
        fi
    fi
    [ "$say" = "$said" ] || printf '%s\n' "$say" >&2
    said=$say
    sleep 5
done
