#!/usr/bin/env bash
# Runs COMMAND with one GPU of this machine that no other such command of this user has. The kernel holds the
# lock and drops it when COMMAND ends, however it ends. CUDA_VISIBLE_DEVICES, if set, names the GPUs to choose
# from.
# Usage: on_gpu.sh COMMAND...
set -u
locks=${XDG_RUNTIME_DIR:-/tmp}/r3cnn-gpus-$(id -u)
mkdir -p "$locks"

if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
    gpus=${CUDA_VISIBLE_DEVICES//,/ }
else
    gpus=$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null)
fi
if [ -z "${gpus// /}" ]; then
    echo "error: no GPU found by nvidia-smi or in CUDA_VISIBLE_DEVICES; use --profile workflow/profiles/local" >&2
    exit 1
fi

while true; do
    for gpu in $gpus; do
        exec {lock}>"$locks/$gpu"
        if flock --nonblock "$lock"; then
            export CUDA_VISIBLE_DEVICES=$gpu
            exec "$@"
        fi
        exec {lock}>&-
    done
    sleep 1
done
