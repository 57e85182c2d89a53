# The same names here, in the hooks and in CI. Set WORK to keep what runs leave behind elsewhere.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
WORK ?= work
PORT ?= 3000
BIN := .venv/bin
export PYTHONPATH := $(CURDIR)
export ASSAY_WORK := $(abspath $(WORK))
# Warnings of libraries about each other are nothing that a user can do anything about.
export PYTHONWARNINGS := ignore
PYFLYTE := $(BIN)/pyflyte -c flyte.config.yaml

# The quickstart and the tests need no hub: a machine without network is told so at once, not after all retries.
demo serve test test-full: export HF_HUB_OFFLINE := 1

# Two files of tests at a time, with one thread each: most of them wait for processes that they start.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: help setup demo run serve test test-full lint fmt lock ui register package
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | column -t -s "$$(printf '\t')"

setup: .venv/installed ## .venv from the lock

.venv/installed: requirements.lock infra/setup.sh
	PYTHON=$(PYTHON) bash infra/setup.sh

# How `pyflyte run` keeps what it made, on one machine. flytekit 1.16 ignores a raw-output prefix that is a local path and
# puts outputs below TMPDIR, where they would be lost while its cache still points at them; so TMPDIR is that prefix. Its
# cache is one for all of a user's projects: the salt keeps checkouts apart, and without stored outputs all runs anew.
RAW := $(ASSAY_WORK)/raw
LOCAL_RUN = fresh=$$([ -d $(RAW) ] && echo false || echo true) && mkdir -p $(RAW) && \
	TMPDIR=$(RAW) ASSAY_CACHE_SALT=$(ASSAY_WORK) FLYTE_LOCAL_CACHE_OVERWRITE=$$fresh \
	$(PYFLYTE) run --raw-output-data-prefix $(RAW)

demo: setup ## the quickstart: documents with labels in, a registered, measured classifier out
	$(LOCAL_RUN) workflows/quickstart.py quickstart

run: setup ## any workflow on this machine: make run ARGS="workflows/training.py train_quality_classifier --source …"
	$(LOCAL_RUN) $(ARGS)

serve: setup ## the champion over HTTP, on port 3000, until Ctrl-C: make serve [PORT=3000]
	$(BIN)/assay serve --registry $(ASSAY_WORK)/registry --port $(PORT)

test: setup ## what a commit should pass, under 10 minutes on 2 cores
	$(TESTS) -m "not full"

test-full: setup ## everything, longer
	$(TESTS)

lint: setup ## formatting, lint, types, and the one-way flow of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fmt: setup ## put formatting and imports in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## requirements.lock from pyproject.toml; +cpu is cut off, so that the lock fits every build of torch
	uv pip compile pyproject.toml --extra dev --upgrade-package torch --python-version 3.11 --no-header --no-emit-find-links \
	  --no-emit-index-url --no-annotate -o requirements.lock
	sed -i 's/^torch==\([0-9.]*\)+cpu/torch==\1/' requirements.lock

ui: setup ## MLflow over the runs of the work folder, on port 5000
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$(ASSAY_WORK)/mlflow.db --port 5000

package: setup ## compile all workflows offline into flyte-package.tgz
	$(PYFLYTE) --pkgs workflows package --image assay=assay:local --force

register: setup ## register with the cluster of flyte.config.yaml: make register VERSION=… [ASSAY_PROFILE=gpu]
	$(PYFLYTE) register --copy all --version $(VERSION) workflows

CHECKOV := 3.3.30
.PHONY: lint-infra
lint-infra: setup ## the cloud's code: form, and checkov, which stays out of .venv: it pins old libraries
	terraform -chdir=infra/terraform fmt -check -recursive
	$(BIN)/uvx --from checkov==$(CHECKOV) checkov --directory infra/terraform --framework terraform --compact --quiet --skip-download
