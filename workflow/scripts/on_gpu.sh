#!/usr/bin/env bash
# Runs COMMAND with one GPU of this machine that no other such command of this user has. The kernel holds the
# lock and drops it when COMMAND ends, however it ends. CUDA_VISIBLE_DEVICES, if set, names the GPUs to choose
# from.
# Usage: on_gpu.sh COMMAND...
set -uf
locks=${XDG_RUNTIME_DIR:-/tmp}/r3cnn-gpus-$(id -u)

# /tmp is everybody's: a folder or a link that somebody else put there is not to be written through.
mkdir -p -m 700 "$locks"
if [ -L "$locks" ] || ! [ -d "$locks" ] || ! [ -O "$locks" ] || ! chmod 700 "$locks"; then
    echo "error: $locks: found a link or another user's, expected a folder of your own; remove it, or set XDG_RUNTIME_DIR" >&2
    exit 1
fi

if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
    gpus=${CUDA_VISIBLE_DEVICES//,/ }
else
    gpus=$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null)
fi
if [ -z "${gpus// /}" ]; then
    echo "error: no GPU found by nvidia-smi or in CUDA_VISIBLE_DEVICES; use --profile workflow/profiles/local" >&2
    exit 1
fi

said=''
while true; do
    for gpu in $gpus; do
        file=$locks/${gpu//\//_} # old names of MIG devices hold slashes
        # For append: whatever the name leads to keeps its content.
        if [ -L "$file" ] || ! exec {lock}>>"$file"; then
            echo "error: $file: expected a lock that can be written, and no link; remove it" >&2
            exit 1
        fi
        if flock --nonblock "$lock"; then
            export CUDA_VISIBLE_DEVICES=$gpu
            exec "$@"
        fi
        exec {lock}>&-
    done
    # `r3cnn status` knows this line
    [ "$said" ] || echo "waiting for a GPU: others of your commands hold all of: ${gpus//$'\n'/ } ($locks)" >&2
    said=yes
    sleep 1
    touch -c "/proc/$$/fd/2" # it waits still: `r3cnn status` looks at the time of the log
done
