#!/bin/sh
# Fills the virtual environment given as $1 (.venv) with the versions of constraints.txt, by pip alone.
# May be run again at any time: what is there already is kept, a half-filled folder is completed.
#   PYTHON=python3.12   the interpreter of a new environment
#   CUDA=cu126          PyTorch's own build: cpu, cu126, cu130, rocm6.4 ...; without it, the registry's
#   OPS=compiled        mmcv's compiled operators too (scripts/compile_mmcv.sh)
#   DRY_RUN=1           print the commands instead
set -eu

venv=${1:-.venv}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
python=$venv/bin/python
started=$(date +%s)

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}
run() { if [ -n "${DRY_RUN:-}" ]; then echo "$*"; else "$@"; fi; }
pip() { run "$python" -m pip --disable-pip-version-check --quiet "$@"; }
pinned() { for name; do grep "^$name==" "$root/constraints.txt"; done; }
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

make_venv() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if fits "$candidate"; then
            "$candidate" -c 'import ensurepip, venv' 2>/dev/null || fail \
                "$candidate has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
            say "creating $venv with $("$candidate" --version)"
            run "$candidate" -m venv "$venv"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found (tried: ${PYTHON:-python3 python3.13 python3.12 python3.11})." \
        "Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

# The registry's torch is a build for one version of CUDA; PyTorch's own index has the others.
install_torch() {
    case ${CUDA:-} in
    "") pip install -c "$root/constraints.txt" "$(pinned torch)" ;;
    *) pip install -c "$root/constraints.txt" "$(pinned torch)+$CUDA" "$(pinned torchvision)+$CUDA" \
        --index-url "https://download.pytorch.org/whl/$CUDA" ;;
    esac
}

# GPUs want torchvision's operators; its build must be torch's, so that of the registry is for no CPU build.
install_torchvision() {
    if [ -z "${CUDA:-}${DRY_RUN:-}" ] && "$python" -c 'import sys, torch; sys.exit(not torch.version.cuda)'; then
        pip install -c "$root/constraints.txt" "$(pinned torchvision)"
    fi
}

case ${CUDA:-} in /*) CUDA= ;; esac # where a cluster's modules say that CUDA lies
case ${OPS:-} in "" | compiled) ;; *) fail "OPS=$OPS: expected OPS=compiled, or nothing" ;; esac
case ${CUDA:-} in "" | cpu | cu[0-9]* | rocm[0-9]*) ;; *) fail "CUDA=$CUDA: expected cpu, cu126, cu130 or rocm6.4" ;; esac
[ -x "$python" ] || make_venv
[ -n "${DRY_RUN:-}" ] || fits "$python" || fail \
    "$venv is no environment of Python 3.11, 3.12 or 3.13. Remove it and run: make setup"

say "the packages of requirements.lock"
# What version 0.1 installed; the files of opencv-python lie where those of its headless build do.
pip uninstall --yes imaug opencv-python 2>/dev/null || true
# Among them a pip that needs half the time of those that come with Python.
pip install --require-hashes --no-deps -r "$root/requirements-build.lock"
# Without torch mmcv is built without operators. A wheel that pip kept may have some.
pip cache remove onedl_mmcv 2>/dev/null || true
export MMCV_WITH_OPS=0
# Python compiles what it imports; to compile all of it now takes longer.
export PIP_NO_COMPILE="${PIP_NO_COMPILE:-1}"
pip install --require-hashes --no-deps --no-build-isolation -r "$root/requirements.lock"
say "torch (the largest download)"
install_torch
install_torchvision
# setuptools warns of folders that hold data, and of every editable install.
PYTHONWARNINGS=ignore pip install --no-deps --no-build-isolation -e "$root"
if [ "${OPS:-}" = compiled ]; then
    run sh "$root/scripts/compile_mmcv.sh" "$venv"
fi
if [ -z "${DRY_RUN:-}" ]; then
    say "checking it"
    "$python" "$root/scripts/check_venv.py"
    touch "$venv/.ready"
    say "done in $(($(date +%s) - started)) s: $venv"
fi
