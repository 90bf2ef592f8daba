#!/usr/bin/env bash
# Snakemake runs this inside the environment of environment.yml once it is created.
set -euo pipefail

# Without their dependencies: mmdet asks for imaug, mmcv for opencv-python (pyproject.toml says why they are left
# out). mmcv without its compiled operators; a wheel that pip kept may have some.
MMCV_WITH_OPS=0 python -m pip install --no-cache-dir --no-build-isolation --no-deps onedl-mmcv==2.3.6
python -m pip install --no-deps onedl-mmdetection==3.5.1
python -m pip install snakemake-executor-plugin-slurm==2.8.0 snakemake-executor-plugin-slurm-jobstep==0.6.1

python -c "import cv2, mmcv, mmengine, torch" || {
    echo "r3cnn: the environment is not complete (see above). Delete its folder under .snakemake/conda and run" >&2
    echo "again." >&2
    exit 1
}
