#!/bin/sh
# Builds mmcv's own operators into the virtual environment given as $1: OPS=compiled make setup.
# For a GPU build of torch they are built for GPUs, whether this machine has one or not.
set -eu

venv=${1:-.venv}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
python=$venv/bin/python
needed=$(grep '^onedl-mmcv==' "$root/constraints.txt")

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

compiled() {
    "$python" - <<'PY'
import importlib.util, pathlib, sys
spec = importlib.util.find_spec("mmcv")
sys.exit(not (spec and list(pathlib.Path(spec.origin).parent.glob("_ext*.so"))))
PY
}

# Proves in a second what the build would find out after minutes.
check_compiler() {
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    compiler=${CXX:-c++}
    command -v "$compiler" >/dev/null 2>&1 || fail \
        "no C++ compiler ('$compiler') found to build mmcv's operators with." \
        "On Debian and Ubuntu: apt-get install g++ ; or leave OPS=compiled away: nothing is compiled then"
    printf '#include <Python.h>\n#include <optional>\nstd::optional<int> probe;\n' |
        "$compiler" -std=c++17 -fsyntax-only -I"$headers" -x c++ - || fail \
        "'$compiler' cannot compile C++17 with Python.h from $headers (see above)." \
        "On Debian and Ubuntu: apt-get install g++ python3-dev ; then again: OPS=compiled make setup"
}

# A login node sees no GPU; operators built there must run on the nodes that have some.
check_cuda_compiler() {
    [ -n "$cuda" ] || return 0
    [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] || command -v nvcc >/dev/null 2>&1 || fail \
        "torch is a build for CUDA $cuda, but there is no nvcc to build mmcv's operators for GPUs with." \
        "Install the CUDA toolkit $cuda and set CUDA_HOME, or leave OPS=compiled away (GPUs then use torchvision's" \
        "operators), or, where no GPU is wanted: OPS=compiled make setup CUDA=cpu"
    export FORCE_CUDA=1
    if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        export TORCH_CUDA_ARCH_LIST="${TORCH_CUDA_ARCH_LIST:-7.5;8.0;8.6;9.0}"
        say "no GPU here: building for $TORCH_CUDA_ARCH_LIST (TORCH_CUDA_ARCH_LIST says otherwise)"
    fi
}

if compiled; then
    exit 0
fi
cuda=$("$python" -c 'import torch; print(torch.version.cuda or "")')
check_compiler
check_cuda_compiler
say "compiling mmcv's operators: about 9 minutes on 2 cores, once"
# Not into pip's cache, which does not tell builds for different versions of CUDA apart.
MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)} \
    "$python" -m pip --disable-pip-version-check install --force-reinstall --no-cache-dir --no-deps \
    --no-build-isolation "$needed"
