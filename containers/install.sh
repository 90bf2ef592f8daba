#!/bin/sh
# What both images hold: the checkout in /opt/r3cnn, installed with its packages in /opt/venv.
# Runs while an image is built; CUDA as in `make setup`.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends git
rm -rf /var/lib/apt/lists/*
# An image cannot be written to, so Python cannot compile there what it imports.
PIP_NO_COMPILE=0 PIP_NO_CACHE_DIR=1 sh /opt/r3cnn/scripts/setup_venv.sh /opt/venv
