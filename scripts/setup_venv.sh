#!/bin/sh
# Fills the virtual environment given as $1 with the versions of constraints.txt.
# May be run again at any time: what is there already is kept, a half-filled folder is completed.
# The order matters: onedl-mmcv compiles its operators if it finds torch installed. By default it comes first, so
# that nothing is compiled, and r3cnn/ops supplies the operators; OPS=compiled builds them against torch.
set -eu

venv=${1:-.venv}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
pins=$root/constraints.txt
started=$(date +%s)

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}
pinned() { grep "^$1==" "$pins"; }

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

make_venv() {
    python=$(find_python) || fail "no Python 3.11 found (tried: ${PYTHON:+$PYTHON }python3.11 python3)." \
        "Install it, or name it: make setup PYTHON=/path/to/python3.11"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail \
        "$python has no venv module; on Debian and Ubuntu: apt-get install python3.11-venv"
    say "creating $venv with $("$python" --version)"
    "$python" -m venv "$venv"
}

# absent | bare (installed, but built where no torch was) | ready
mmcv_state() {
    "$venv/bin/python" - <<'PY'
import importlib.util, pathlib
spec = importlib.util.find_spec("mmcv")
folder = pathlib.Path(spec.origin).parent if spec and spec.origin else None
print("absent" if folder is None else "ready" if list(folder.glob("_ext*.so")) else "bare")
PY
}

# Proves in a second what the build would find out after minutes.
check_compiler() {
    headers=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    compiler=${CXX:-c++}
    command -v "$compiler" >/dev/null 2>&1 || fail \
        "no C++ compiler ('$compiler') found; onedl-mmcv compiles its operators here." \
        "On Debian and Ubuntu: apt-get install g++ ; then: make setup"
    printf '#include <Python.h>\n#include <optional>\nstd::optional<int> probe;\n' |
        "$compiler" -std=c++17 -fsyntax-only -I"$headers" -x c++ - || fail \
        "'$compiler' cannot compile C++17 with Python.h from $headers (see above)." \
        "On Debian and Ubuntu: apt-get install g++ python3.11-dev ; then: make setup"
}

# torch sees a GPU: the operators are then built for it, which needs the CUDA compiler.
check_cuda_compiler() {
    cuda=$("$venv/bin/python" -c \
        'import torch; print(torch.version.cuda if torch.cuda.is_available() else "")')
    if [ -n "$cuda" ] && [ ! -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] &&
        ! command -v nvcc >/dev/null 2>&1; then
        fail "a GPU is there, but no nvcc to build onedl-mmcv for it." \
            "Install the CUDA toolkit $cuda and set CUDA_HOME, or use environment.yml, or build for the" \
            "CPU only: CUDA_VISIBLE_DEVICES= make setup"
    fi
}

# Never from pip's cache: a wheel kept there may be of a build with operators.
install_plain_mmcv() {
    if [ "$(mmcv_state)" = absent ]; then
        pip install --quiet --no-cache-dir --no-build-isolation --no-deps "$(pinned onedl-mmcv)"
    fi
}

compile_mmcv() {
    state=$(mmcv_state)
    if [ "$state" = bare ]; then
        say "onedl-mmcv is installed without its operators: removing it and its cached wheel"
        pip uninstall --quiet --yes onedl-mmcv
        pip cache remove onedl_mmcv >/dev/null 2>&1 || true
    fi
    if [ "$state" != ready ]; then
        if [ -n "$(pip cache list --format=abspath onedl_mmcv 2>/dev/null)" ]; then
            say "installing onedl-mmcv from the wheel that pip kept"
        else
            check_compiler
            check_cuda_compiler
            say "compiling onedl-mmcv's operators: about 9 minutes on 2 cores, once"
        fi
    fi
    # Without dependencies: they come with the rest, under the same pins.
    MAX_JOBS=${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)} \
        pip install --no-build-isolation --no-deps "$(pinned onedl-mmcv)"
}

install_rest() {
    wanted=$("$venv/bin/python" - "$root/pyproject.toml" <<'PY'
import sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
print(*(r.replace(" ", "") for r in project["dependencies"] + project["optional-dependencies"]["dev"]))
PY
    )
    # shellcheck disable=SC2086  # one requirement a word
    pip install --quiet -c "$pins" $wanted "$(pinned opencv-python-headless)"
    # Without dependencies: constraints.txt says why.
    pip install --quiet --no-deps "$(pinned snakemake-executor-plugin-slurm)" \
        "$(pinned snakemake-executor-plugin-slurm-jobstep)"
    # opencv-python needs libGL, which servers lack; both packages share the folder cv2, the last one wins.
    if ! "$venv/bin/python" -c \
        'import cv2, re, sys; sys.exit(not re.search(r"GUI:\s+NONE", cv2.getBuildInformation()))' \
        2>/dev/null; then
        say "putting the headless build of OpenCV on top"
        pip install --quiet --no-deps --force-reinstall "$(pinned opencv-python-headless)"
    fi
}

[ -x "$venv/bin/python" ] || make_venv
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || fail \
    "$venv is not a Python 3.11 environment. Remove it and run: make setup"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

say "build tools and torch (the largest download)"
# shellcheck disable=SC2046  # one requirement a word
pip install --quiet $(for name in setuptools wheel packaging ninja psutil; do pinned $name; done)
case ${OPS:-} in
"") install_plain_mmcv ;;
compiled) ;;
*) fail "OPS=$OPS: expected OPS=compiled, or nothing" ;;
esac
pip install --quiet -c "$pins" "$(pinned torch)"
if [ "${OPS:-}" = compiled ]; then compile_mmcv; fi
say "everything else"
install_rest
pip install --quiet --no-build-isolation --no-deps -e "$root"
"$venv/bin/python" "$here/check_venv.py"
say "done in $(($(date +%s) - started)) s: $venv"
