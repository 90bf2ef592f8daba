#!/usr/bin/env bash
# What stands behind `make bench-gpu`: it measures on this machine's GPU, with .venv or, where none is ready
# as there is no network, with a bundle of Python wheels that was brought along.
#
#   where there is a network:     make bench-gpu
#   for a machine without one:    bash scripts/bench_gpu.sh fetch build/bundle      needs .venv
#     copy the checkout with build/bundle; no file in it is larger than 16 MiB. There, the same command:
#                                 make bench-gpu      (without make: bash scripts/bench_gpu.sh measure)
#     It installs the wheels beside the machine's own python3, torch and CUDA, builds mmcv's operators, and
#     measures. A build that a time limit stops goes on when called again. To spare the next time the build:
#     copy the pieces of mmcv's wheel and mmcv.sha256 from build/bench-gpu/out to build/bundle.
#
# Can be set: BUNDLE (build/bundle), OUT (a folder for bench-gpu.json and mmcv's pieces, where only that
# folder comes back), PYTHON_VERSION (3.12) and ARCH (9.0: H100 and H200) of that machine. Arguments after
# `measure`, or ARGS of make, go to `python -m r3cnn bench gpu`. Has not been run on a GPU.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON_VERSION=${PYTHON_VERSION:-3.12}
ARCH=${ARCH:-9.0}
PIECE=16777216
absolute() { case $1 in /*) echo "$1" ;; *) echo "$root/$1" ;; esac }
venv=$(absolute "${VENV:-.venv}")
bundle=$(absolute "${BUNDLE:-build/bundle}")
results=$(absolute "${OUT:-measured}")
work=${WORK:-$root/build/bench-gpu}
site=$work/site

usage() {
    sed -n '2,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

fail() {
    echo "error: $*" >&2
    exit 1
}

fetch() {
    local pin
    mkdir -p "$1"
    [ -z "$(ls -A "$1")" ] || fail "$1: not empty; name a new folder, or empty this one"
    [ -x "$venv/bin/python" ] || fail "$venv: no environment to look the names up in; make setup"
    "$venv/bin/python" "$root/scripts/bench_gpu_names.py" "$PYTHON_VERSION" >"$1/names"
    while read -r pin; do
        wheel_of "$pin" "$1" || fail "$pin: no wheel for Python $PYTHON_VERSION; see $1/why"
    done <"$1/names"
    pip download --no-deps --no-build-isolation --no-binary onedl-mmcv -d "$1" \
        "$(grep '^onedl-mmcv==' "$root/constraints.txt")"
    rm -f "$1/names" "$1/why"
    cut_up "$1" bundle
    du -sh "$1"
}

pip() {
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"
}

# From the registry; what is there as sources alone is built here, if that gives a wheel for any Python.
wheel_of() {
    pip download --no-deps --only-binary=:all: --implementation cp --python-version "$PYTHON_VERSION" \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d "$2" "$1" 2>"$2/why" && return
    pip wheel --no-deps --no-build-isolation -w "$2" "$1" 2>>"$2/why"
    compgen -G "$2/$(tr - _ <<<"${1%==*}")-*-none-any.whl" >/dev/null
}

# Every wheel and archive of a folder with its checksum into NAME.sha256, the large ones in pieces.
cut_up() {
    local file
    (
        cd "$1"
        find . -maxdepth 1 \( -name '*.whl' -o -name '*.tar.gz' \) -exec sha256sum {} + >"$2.sha256"
        find . -maxdepth 1 \( -name '*.whl' -o -name '*.tar.gz' \) -size "+${PIECE}c" | while read -r file; do
            rm -f "$file".part*
            split --bytes="$PIECE" --numeric-suffixes "$file" "$file.part"
            rm "$file"
        done
    )
}

# What cut_up made, whole again in another folder.
whole() {
    local first
    [ -f "$1/bundle.sha256" ] || fail "$1: no bundle.sha256, expected a folder that \`fetch\` filled"
    mkdir -p "$2"
    find "$1" -maxdepth 1 \( -name '*.whl' -o -name '*.tar.gz' \) -exec cp {} "$2" \;
    find "$1" -maxdepth 1 -name '*.part00' | while read -r first; do
        cat "${first%00}"[0-9]* >"$2/$(basename "${first%.part00}")"
    done
    cat "$1"/*.sha256 | (cd "$2" && sha256sum --check --quiet - >&2) ||
        fail "$1: a file is missing or broken; copy it again"
}

into_site() {
    python3 -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$site" "$@"
}

# The wheels of the bundle in $site, once, and mmcv's among them, built unless it was brought along.
install() {
    export PYTHONPATH=$site PATH=$site/bin:$PATH
    if ! cat "$bundle"/*.sha256 | cmp --quiet - "$work/installed"; then
        rm -rf "$work/wheels" "$site"
        whole "$bundle" "$work/wheels"
        into_site "$work"/wheels/*.whl
        cat "$bundle"/*.sha256 >"$work/installed"
    fi
    python3 -c 'import mmcv.ops' 2>"$work/why" && return
    build "${OUT:+$results}"
    python3 -c 'import mmcv.ops'
}

# In a folder of its own, which keeps the objects that an earlier call compiled.
build() {
    local sources=$work/mmcv out=${1:-$work/out}
    mkdir -p "$sources" "$out"
    [ -f "$sources/setup.py" ] ||
        tar -xzf "$work"/wheels/onedl_mmcv-*.tar.gz -C "$sources" --strip-components 1
    (
        cd "$sources"
        export MMCV_WITH_OPS=1 FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=$ARCH MAX_JOBS=${MAX_JOBS:-$(nproc)}
        python3 setup.py --quiet build_ext bdist_wheel
    )
    into_site "$sources"/dist/*.whl
    cp "$sources"/dist/*.whl "$out"
    cut_up "$out" mmcv
}

measure() {
    local python=$venv/bin/python kept=$root/measured/bench-gpu.json
    mkdir -p "$results"
    # what was measured before comes along, so that it stays in the file
    if [ -f "$kept" ] && [ ! -f "$results/bench-gpu.json" ]; then cp "$kept" "$results"; fi
    if [ -d "$bundle" ] && [ ! -f "$venv/.ready" ]; then
        mkdir -p "$work"
        install
        python=python3
    elif [ ! -x "$python" ]; then
        fail "neither $venv nor $bundle: \`make bench-gpu\` sets up the one where there is a network, " \
            "\`bash scripts/bench_gpu.sh fetch $bundle\` makes the other there"
    fi
    cd "$root"
    exec "$python" -m r3cnn bench gpu --out "$results/bench-gpu.json" "$@"
}

case ${1:-}-$# in
fetch-2 | whole-3) "$@" ;;
measure-*) "$@" ;;
*) usage ;;
esac
