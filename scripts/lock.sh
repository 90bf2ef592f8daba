#!/bin/sh
# Writes requirements.lock, the versions of constraints.txt with the hashes of their files, without addresses, and
# requirements-build.lock, which has to be installed before.
# Needs uv and a package registry. The result must be the same for every Python; torch, and what only its builds
# for GPUs need, is left out.
set -eu
cd "$(dirname -- "$0")/.."

lock() {
    uv pip compile pyproject.toml --all-extras --group build --constraint constraints.txt \
        --python-version "$1" --python-platform x86_64-manylinux_2_28 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header --quiet --output-file "$2"
}

# Each package is a line `name==version \`, then indented lines with hashes.
without_torch() { awk '/^[^ ]/ { kept = !/^(torch|torchvision|triton|nvidia-[^=]*|cuda-[^=]*)==/ } kept'; }
build_tools() { awk '/^[^ ]/ { kept = /^(pip|setuptools|wheel|packaging)==/ } kept'; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 3.11 3.12 3.13; do
    lock "$version" "$folder/$version"
    cmp "$folder/3.11" "$folder/$version" >&2 || {
        echo "lock: Python $version needs other packages than 3.11; pin what differs in constraints.txt" >&2
        exit 1
    }
done
write() {
    {
        echo "# Made by \`make lock\` from pyproject.toml and constraints.txt; for Python 3.11, 3.12 and 3.13 on Linux."
        cat
    } >"$folder/new"
    mv "$folder/new" "$1"
}
without_torch <"$folder/3.11" | write requirements.lock
build_tools <"$folder/3.11" | write requirements-build.lock
