# Most targets set up .venv first; see CONTRIBUTING.md for the daily ones.
VENV ?= .venv
READY := $(VENV)/.ready
# This machine's GPUs if it has any, else its cores; PROFILE=... overrides.
PROFILE ?=
# quick, unless ARGS="--config scale=..." names another one
SCALE ?= $(or $(patsubst scale=%,%,$(lastword $(filter scale=%,$(ARGS)))),quick)
DRY := $(filter -n --dry-run --dryrun,$(ARGS))
BENCH ?= measured/bench-cpu.json
BUNDLE ?= build/bundle
SNAKEFILES := Snakefile workflow
export PYTHON CUDA OPS DRY_RUN
# Snakemake reads only one --config, so the scale is added to that of ARGS.
with_config = $(if $(findstring --config ,$(ARGS)),$(subst --config ,--config scale=$(SCALE) ,$(ARGS)),$(ARGS) --config scale=$(SCALE))
with_scale = $(strip $(if $(filter scale=%,$(ARGS)),$(ARGS),$(with_config)))
# Rules call python, and python calls nothing that is not in the environment.
run := PATH="$(abspath $(VENV))/bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup lock doctor plan reproduce smoke pretrain continue status bench bench-gpu test test-rest test-all test-fast slurm-test lint format docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create or complete .venv: PYTHON=python3.12, CUDA=cu126|cu130|cpu for PyTorch's own build, OPS=compiled
	@sh scripts/setup_venv.sh $(VENV)

$(READY): constraints.txt requirements.lock pyproject.toml setup.py scripts/setup_venv.sh scripts/check_venv.py
	@sh scripts/setup_venv.sh $(VENV)

lock: ## write requirements.lock from constraints.txt and pyproject.toml; needs uv
	@sh scripts/lock.sh

doctor: $(READY) ## check the installation, the machine and the data, and suggest fixes: SCALE=paper
	@$(run) python -m r3cnn doctor --scale $(SCALE) $(ARGS)

plan: SCALE := paper
plan: $(READY) ## estimate the cost of the trainings: SCALE=paper ARGS="--gpus 8 --price 2.5 --watts 400"
	@$(run) python -m r3cnn estimate --scale $(SCALE) $(ARGS)

reproduce: $(READY) ## run every row of the paper in miniature: trainings, tables, figure, report; SCALE=quick
	@$(run) snakemake $$($(run) python scripts/device.py $(PROFILE)) $(with_scale)
	@$(if $(DRY),echo "Dry run: nothing was made.",$(run) python scripts/outcome.py results/$(SCALE))

smoke: SCALE := smoke
smoke: reproduce ## show that every row runs, in minutes; its APs mean nothing

pretrain: $(READY) ## make the initial weights of the small scales again (10 minutes on one core)
	@$(run) python -m r3cnn pretrain --scale mini --out experiments/weights/shapes.pth

continue: $(READY) ## resume after Snakemake was killed: remove its lock, then as reproduce
	@$(run) snakemake --profile $(or $(PROFILE),workflow/profiles/local) $(with_scale) --unlock
	@$(MAKE) reproduce

status: $(READY) ## show which trainings are done, running, waiting or failed: SCALE=paper
	@$(run) python -m r3cnn status --scale $(SCALE) $(ARGS)

bench: $(READY) ## measure speed as ratios of two implementations timed in turn (about half an hour on a quiet machine)
	@$(run) python scripts/bench_workflow.py planning --out $(BENCH)
	@if [ -f results/smoke/report/index.html ]; then $(run) python scripts/bench_workflow.py harness results/smoke --out $(BENCH); \
	else echo "no finished run in results/smoke: the row harness is left out (make smoke)"; fi
	@$(run) python scripts/bench_coco.py coco-start --out $(BENCH)
	@$(run) python scripts/bench_coco.py score-command --out $(BENCH)
	@$(run) python -m r3cnn bench $(ARGS) --out $(BENCH)
	@$(run) python scripts/speed_table.py $(BENCH) docs/speed.md

# With a bundle (no network), use the machine's Python; make no .venv.
bench-gpu: $(if $(wildcard $(READY)),$(READY),$(if $(wildcard $(BUNDLE)),,$(READY))) ## measure the paper's columns of speed and memory at full size, on a GPU: ARGS="--models htc"
	@BUNDLE="$(BUNDLE)" VENV="$(VENV)" bash scripts/bench_gpu.sh measure $(ARGS)

# Two processes; what shares a fixture or Snakemake's lock stays in one of them.
GATES := not slurm and (gate or not (slow or browser))
XDIST := --dist loadgroup --no-loadscope-reorder

test: $(READY) ## run the fast tests and a few gates; list what was left out
	@$(run) OMP_NUM_THREADS=1 python -m pytest -n 2 $(XDIST) -m "$(GATES)" $(ARGS)

# A third process, as the tests of Slurm wait for jobs more than they compute.
test-rest: $(READY) ## run what make test leaves out, as far as this machine can
	@$(run) OMP_NUM_THREADS=1 R3CNN_PATIENCE=$${R3CNN_PATIENCE:-2} \
		python -m pytest -n 3 $(XDIST) -m "not ($(GATES))" $(ARGS)

test-all: test test-rest ## run every test that this machine can run

test-fast: $(READY) ## run the tests that take seconds
	@$(run) OMP_NUM_THREADS=1 python -m pytest -n 2 $(XDIST) -m "not slow and not slurm and not browser" $(ARGS)

slurm-test: $(READY) ## start a two-node Slurm here (as root), disturb trainings on it, and stop it
	@$(run) python -m pytest -m slurm -rP $(ARGS)

lint: $(READY) ## run ruff, mypy, snakefmt and snakemake --lint; changes nothing
	@$(run) ruff check .
	@$(run) ruff format --check .
	@$(run) mypy
	@$(run) snakefmt --check $(SNAKEFILES)
	@$(run) snakemake --lint

format: $(READY) ## format the sources with ruff and snakefmt
	@$(run) ruff check --fix .
	@$(run) ruff format .
	@$(run) snakefmt $(SNAKEFILES)

docs: $(READY) ## build the documentation site: build/docs/start.html
	@$(run) python -m pip install --quiet --group docs
	@$(run) NO_MKDOCS_2_WARNING=1 mkdocs build --quiet
	@echo "The site: build/docs/start.html"

clean: ## remove caches and results/smoke; keep .venv, other results and .snakemake
	rm -rf results/smoke .pytest_cache .ruff_cache .mypy_cache build *.egg-info
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
