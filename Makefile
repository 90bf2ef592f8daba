# Every target sets up .venv first; see CONTRIBUTING.md for the daily ones.
VENV ?= .venv
READY := $(VENV)/.ready
# The GPUs of this machine, where there are some, else its cores; PROFILE=... says otherwise.
PROFILE ?=
REPORT := results/smoke/report/index.html
SCALE ?= smoke
BENCH ?= measured/bench-cpu.json
BUNDLE ?= build/bundle
SNAKEFILES := Snakefile workflow
export PYTHON CUDA OPS DRY_RUN
# Rules call python, and python calls nothing that is not in the environment.
run := PATH="$(abspath $(VENV))/bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup lock doctor plan reproduce continue status bench bench-gpu test test-rest test-all test-fast slurm-test lint format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create or complete .venv: PYTHON=python3.12, CUDA=cu126|cu130|cpu for PyTorch's own build, OPS=compiled
	@sh scripts/setup_venv.sh $(VENV)

$(READY): constraints.txt requirements.lock pyproject.toml setup.py scripts/setup_venv.sh scripts/check_venv.py
	@sh scripts/setup_venv.sh $(VENV)

lock: ## write requirements.lock from constraints.txt and pyproject.toml; needs uv
	@sh scripts/lock.sh

doctor: $(READY) ## check installation, machine and data, and say what to do: ARGS="--scale paper"
	@$(run) python -m r3cnn doctor $(ARGS)

plan: $(READY) ## what the trainings will cost: SCALE=paper ARGS="--gpus 8 --price 2.5 --watts 400"
	@$(run) python -m r3cnn estimate --scale $(SCALE) $(ARGS)

reproduce: $(READY) ## every row of the paper once at scale smoke: all trainings, tables, figure, report
	@$(run) snakemake $$($(run) python scripts/device.py $(PROFILE)) $(ARGS)
	@echo "The report: $(REPORT)"

continue: $(READY) ## go on where Snakemake was killed: removes its lock, then as reproduce
	@$(run) snakemake --profile $(or $(PROFILE),workflow/profiles/local) $(ARGS) --unlock
	@$(MAKE) reproduce

status: $(READY) ## which trainings are done, running, waiting or failed: SCALE=paper
	@$(run) python -m r3cnn status --scale $(SCALE) $(ARGS)

bench: $(READY) ## speed, each figure a ratio of two things timed in turn (about 25 minutes on a quiet machine)
	@$(run) python scripts/bench_workflow.py planning --out $(BENCH)
	@if [ -f $(REPORT) ]; then $(run) python scripts/bench_workflow.py harness results/smoke --out $(BENCH); \
	else echo "no finished run in results/smoke: the row harness is left out (make reproduce)"; fi
	@$(run) python -m r3cnn bench $(ARGS) --out $(BENCH)
	@$(run) python scripts/speed_table.py $(BENCH) docs/speed.md

# Where a bundle was brought along, as there is no network, no .venv is made.
bench-gpu: $(if $(wildcard $(READY)),$(READY),$(if $(wildcard $(BUNDLE)),,$(READY))) ## the paper's columns of speed and memory at full size, on a GPU: ARGS="--models htc"
	@BUNDLE="$(BUNDLE)" VENV="$(VENV)" bash scripts/bench_gpu.sh measure $(ARGS)

# Two processes; what shares a fixture or Snakemake's lock stays in one of them.
GATES := not slurm and (gate or not (slow or browser))
XDIST := -n 2 --dist loadgroup --no-loadscope-reorder

test: $(READY) ## the tests that a person waits for; says what it left out
	@$(run) OMP_NUM_THREADS=1 python -m pytest $(XDIST) -m "$(GATES)" $(ARGS)

test-rest: $(READY) ## what make test leaves out, as far as this machine can run it
	@$(run) OMP_NUM_THREADS=1 python -m pytest $(XDIST) -m "not slurm and not ($(GATES))" $(ARGS)
	@$(run) python -m pytest -m slurm $(ARGS)

test-all: test test-rest ## every test that this machine can run

test-fast: $(READY) ## the tests that take seconds
	@$(run) OMP_NUM_THREADS=1 python -m pytest $(XDIST) -m "not slow and not slurm and not browser" $(ARGS)

slurm-test: $(READY) ## start a two-node Slurm here (as root), disturb trainings on it, stop it
	@$(run) python -m pytest -m slurm -rP $(ARGS)

lint: $(READY) ## ruff, mypy, snakefmt and snakemake --lint; changes nothing
	@$(run) ruff check .
	@$(run) ruff format --check .
	@$(run) mypy
	@$(run) snakefmt --check $(SNAKEFILES)
	@$(run) snakemake --lint

format: $(READY) ## let ruff and snakefmt rewrite the sources
	@$(run) ruff check --fix .
	@$(run) ruff format .
	@$(run) snakefmt $(SNAKEFILES)

clean: ## remove caches and results/smoke; .venv, other results and what Snakemake knows of them stay
	rm -rf results/smoke .pytest_cache .ruff_cache .mypy_cache build *.egg-info
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
