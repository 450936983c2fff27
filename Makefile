# Two commands do everything: `make catalog` and `make test`. Both make .venv from the lock first, and redo nothing that is current.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Nothing here phones home.
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install catalog up down test test-long lint unit bench bench-record bench-mocks real clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

install: $(STAMP) ## make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "exsitu needs Python 3.11 or newer; name one with make PYTHON=python3.11")'
	@echo "Setting up $(VENV) from requirements.lock (a few minutes, once)"
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

catalog: $(STAMP) ## the main job: mocks, training, transfer, evaluation, promotion, two releases
	@$(BIN)/python flows/catalog.py

up: $(STAMP) ## start Prefect, MLflow and a worker in the background, on loopback, and deploy prefect.yaml
	@exsitu up

down: $(STAMP) ## stop them; runs, models, schedules and logs stay
	@exsitu down

test: $(STAMP) lint ## lint, types and all tests but the long ones
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long and not scale and not gpu"

test-long: $(STAMP) ## the tests that take minutes each
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m long

lint: $(STAMP) ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

unit: $(STAMP) ## the fast tests alone; TESTS=tests/mocks those of a folder
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not long and not fault and not scale and not gpu" $(TESTS)

bench: $(STAMP) ## speed beside the limit measured in the same run, into benchmarks/RESULTS.md part by part (at most 25 min)
	@$(BIN)/python benchmarks/run.py

bench-record: $(STAMP) ## what takes long: ten minutes of the paper's training, and 72 M rows scored
	@$(BIN)/python benchmarks/run.py record

bench-mocks: $(STAMP) ## what making mocks costs beside its limits, into benchmarks/MOCKS.md
	@$(BIN)/python benchmarks/mocks.py

real: $(STAMP) ## REAL=folder: transfer with real labelled stars, and release the real cluster members
	@test -d "$(REAL)" || { echo "make real REAL=folder: the folder of docs/real-stars.md"; exit 2; }
	exsitu adapt --stars "$(REAL)/rave_metal_poor_ruchti2011_gaia.csv" --stars "$(REAL)/metal_poor_halo_stars_gaia6d.csv" \
		--stars "$(REAL)/apogee_gaiadr3_inner_galaxy_6d_feh.csv.gz" --output build/adapted-real
	exsitu promote --model build/adapted-real --name exsitu-real --champion champion-real.json
	exsitu release clusters --input "$(REAL)/star_cluster_members_gaiadr2_ship.parquet" --release gaia_dr2 --drop-repeats --allow-empty \
		--champion champion-real.json
	exsitu score --model build/adapted-real --input "$(REAL)/star_cluster_members_gaiadr2_ship.parquet"
	exsitu score --model build/adapted-real --input "$(REAL)/metal_poor_halo_stars_gaia6d.csv" --allow-missing-errors
	exsitu score --model build/adapted-real --input "$(REAL)/rave_metal_poor_ruchti2011_gaia.csv" --allow-missing-errors

clean: ## remove what can be made again; releases, mlruns and data stay
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
