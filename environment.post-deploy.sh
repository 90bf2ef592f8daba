#!/usr/bin/env bash
# Snakemake runs this inside the environment of environment.yml once it is created.
# Builds onedl-mmcv's operators against the torch that is there; without a GPU on this machine
# (a login node) too: TORCH_CUDA_ARCH_LIST names the GPUs to build for.
set -euo pipefail

export MMCV_WITH_OPS=1
if command -v nvcc >/dev/null; then
    export FORCE_CUDA=1
    export CUDA_HOME="${CUDA_HOME:-$CONDA_PREFIX}"
    export CPATH="$CONDA_PREFIX/targets/x86_64-linux/include${CPATH:+:$CPATH}"
    export TORCH_CUDA_ARCH_LIST="${TORCH_CUDA_ARCH_LIST:-7.5;8.0;8.6;9.0}"
else
    echo "r3cnn: no nvcc in the environment: building mmcv's operators for the CPU only" >&2
fi

# Never from pip's cache: a wheel kept there may be of a build without CUDA.
python -m pip install --no-cache-dir --no-build-isolation --no-deps onedl-mmcv==2.3.6
python -m pip install --no-deps --force-reinstall opencv-python-headless==4.12.0.88
# It asks for a newer numpy than OpenCV can take, and uses it for a report that is off.
python -m pip install --no-deps snakemake-executor-plugin-slurm==2.8.0 \
    snakemake-executor-plugin-slurm-jobstep==0.6.1

python -c "import mmcv.ops, mmdet.models" || {
    echo "r3cnn: mmcv has no operators for this torch. Look above for the compiler's error, delete" >&2
    echo "the environment's folder under .snakemake/conda and run again." >&2
    exit 1
}
