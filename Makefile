# Every target does its own set-up: a machine with Python 3.11+, git and make is enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ORCH   := $(BIN)/orch

.DEFAULT_GOAL := help

.PHONY: help build plan graph lock docker-build-base docker-build-service docker-build-changed \
        docker-build-wheels test test-unit test-full test-faults lint format bench fuzz \
        requirements rule-pages clean docker-push docs reference doctor gc

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

build: $(VENV)/.ready ## Assemble every image of base/ and services/
	$(ORCH) build --relock-missing

plan: $(VENV)/.ready ## Show what a build would do, and why
	$(ORCH) plan

graph: $(VENV)/.ready ## Show the tiers
	$(ORCH) graph

lock: $(VENV)/.ready ## Resolve and pin every package
	$(ORCH) lock

docker-build-base: $(VENV)/.ready ## Build the base images alone
	$(ORCH) build --bases --relock-missing

docker-build-service: $(VENV)/.ready ## Build one service: make docker-build-service SERVICE=webhook
	@test -n "$(SERVICE)" || { echo "error: say which: make $@ SERVICE=webhook" >&2; exit 2; }
	$(ORCH) build $(SERVICE) --relock-missing

docker-build-changed: $(VENV)/.ready ## Build what is not up to date alone
	$(ORCH) build --changed --relock-missing

docker-build-wheels: $(VENV)/.ready ## Fetch every wheel, and build those that no index has
	$(ORCH) wheels

docker-push: $(VENV)/.ready ## Publish every image to the registry of orch.toml, or REGISTRY=HOST/PREFIX
	$(ORCH) push $(if $(REGISTRY),--registry $(REGISTRY))

doctor: $(VENV)/.ready ## Look whether this machine is fit
	$(ORCH) doctor

gc: $(VENV)/.ready ## Free space: what nobody uses any more
	$(ORCH) gc

test: $(VENV)/.ready ## Run the tests; those whose real part is absent are skipped
	$(BIN)/pytest $(PYTEST_ARGS)

test-unit: $(VENV)/.ready ## Run the tests that need nothing but Python
	$(BIN)/pytest tests/unit tests/properties tests/hostile

test-faults: $(VENV)/.ready ## Kill, fill, break and race runs, long; the figures are at the end
	$(BIN)/pytest tests/faults --full

test-full: $(VENV)/.ready ## Run all tests, every service on every engine too
	$(BIN)/pytest --full

lint: $(VENV)/.ready ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready ## Measure beside bake, compose and docker build; make bench BENCH_ARGS=--full
	$(BIN)/python bench/run.py $(BENCH_ARGS)
	$(BIN)/python bench/wheels.py

requirements: $(VENV)/.ready ## Pin anew what development and CI install
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --upgrade -q -o requirements/dev.txt

fuzz: $(VENV)/.ready ## Fuzz the parsers, guided by coverage; make fuzz FUZZ_ARGS="--seconds 600 deb"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3.0'
	$(BIN)/python fuzz/run.py $(FUZZ_ARGS)

docs: $(VENV)/.ready ## Build the site of the documentation into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

reference: $(VENV)/.ready ## Write the pages of the reference that are made from the code
	$(BIN)/python -m tests.reference_pages

rule-pages: $(VENV)/.ready ## Write the pages of the rules of orch check
	$(BIN)/python -m tests.rule_pages

clean: ## Remove what was built here, not the user's cache
	rm -rf $(VENV) .orch build/site .mypy_cache .ruff_cache .pytest_cache .hypothesis
