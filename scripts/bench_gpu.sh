#!/usr/bin/env bash
# What `python -m r3cnn bench gpu` needs on a machine with a GPU, CUDA and torch, but no network: Python
# wheels brought along, and mmcv's operators built there once, brought back in pieces.
#
#   here:   bash scripts/bench_gpu.sh fetch BUNDLE          wheels and mmcv's sources into the folder BUNDLE
#   there:  bash scripts/bench_gpu.sh install BUNDLE SITE   the wheels into the folder SITE (PYTHONPATH=SITE)
#           bash scripts/bench_gpu.sh build BUNDLE OUT      mmcv's wheel into OUT, in pieces of 16 MiB;
#                                                           stopped by a time limit it goes on when called again
#   here:   bash scripts/bench_gpu.sh join OUT BUNDLE       the pieces into one wheel beside the others
#   there:  bash scripts/bench_gpu.sh install BUNDLE SITE && PYTHONPATH=SITE python3 -m r3cnn bench gpu ...
#
# PYTHON_VERSION (3.12), ARCH (9.0: H100 and H200) and LEFT_OUT (names that are there already, so that the
# bundle stays small) can be set. Neither script nor measurement has been run on a GPU.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON_VERSION=${PYTHON_VERSION:-3.12}
ARCH=${ARCH:-9.0}
PIECE=16m
# What the models, the data and the scoring import; torch and numpy belong to the machine.
NAMES=(onedl-mmengine onedl-mmdetection opencv-python-headless pycocotools hotcoco pyarrow scipy shapely
    addict terminaltables termcolor yapf rich pyyaml jsonschema jsonschema-specifications referencing
    rpds-py attrs click pillow tqdm matplotlib platformdirs markdown-it-py mdurl pygments)

usage() {
    sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

pinned() {
    grep -m 1 "^$1==" "$root/constraints.txt" ||
        { echo "error: $1: no version in constraints.txt" >&2; exit 1; }
}

fetch() {
    local name
    mkdir -p "$1"
    for name in "${NAMES[@]}"; do
        [[ " ${LEFT_OUT:-} " == *" $name "* ]] && continue
        python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "$PYTHON_VERSION" \
            --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
            --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d "$1" "$(pinned "$name")"
    done
    python3 -m pip download --quiet --no-deps --no-build-isolation --no-binary onedl-mmcv \
        -d "$1" "$(pinned onedl-mmcv)"
    du -sh "$1"
}

install() {
    python3 -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$2" "$1"/*.whl
    PYTHONPATH="$2" python3 -c 'import mmdet' || echo "mmdet does not import yet: build mmcv, join, install" >&2
}

# In a folder of its own, which keeps the objects that an earlier call compiled.
build() {
    local sources=$1/mmcv-build out=$2
    mkdir -p "$sources" "$out"
    [ -f "$sources/setup.py" ] || tar -xzf "$1"/onedl_mmcv-*.tar.gz -C "$sources" --strip-components 1
    (
        cd "$sources"
        export MMCV_WITH_OPS=1 FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=$ARCH MAX_JOBS=${MAX_JOBS:-$(nproc)}
        python3 setup.py --quiet build_ext bdist_wheel
    )
    split --bytes="$PIECE" --numeric-suffixes "$sources"/dist/*.whl "$out/$(basename "$sources"/dist/*.whl).part"
    (cd "$sources/dist" && sha256sum ./*.whl) >"$out/mmcv.sha256"
}

join() {
    local first name
    first=$(find "$1" -name '*.whl.part00' | head -n 1)
    [ -n "$first" ] || { echo "error: $1: no pieces of a wheel; expected NAME.whl.part00 ..." >&2; exit 1; }
    name=$(basename "${first%.part00}")
    cat "${first%00}"* >"$2/$name"
    (cd "$2" && sha256sum --check --quiet -) <"$1/mmcv.sha256" ||
        { rm "$2/$name"; echo "error: $name: a piece is missing or broken; copy them again" >&2; exit 1; }
}

case ${1:-}-$# in
fetch-2 | install-3 | build-3 | join-3) "$@" ;;
*) usage ;;
esac
