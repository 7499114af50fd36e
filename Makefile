# Needs Python 3.11 or newer and make, nothing else. What it installs goes into .venv-demo and .venv beside this file;
# an active environment, a PYTHONPATH or pip's --user are left alone and have no say.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c '$(SUITABLE)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
SUITABLE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
WORKERS ?= 2

DEMO := .venv-demo
DEV := .venv
BIN := $(DEV)/bin
IN_DEV := $(BIN)/python -m
SOURCES := $(shell find src -name '*.py' -o -name py.typed)
DAY := day --deals examples/pipeline.csv --map examples/map.toml --policies examples/policies.toml --as-of 2026-03-31

unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PYTHONDONTWRITEBYTECODE PYTHONOPTIMIZE
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV
unexport MYPYPATH MYPY_CONFIG_FILE_DIR RUFF_CONFIG PYTEST_ADDOPTS PYTEST_PLUGINS COVERAGE_FILE COVERAGE_RCFILE
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PYTHONNOUSERSITE := 1

.PHONY: help demo test test-all soak bench docs lint format clean FORCE

help:
	@echo "make demo      set up, and run the main job on the sample in examples/"
	@echo "make test      set up, and run every check: lint, types, layers, tests with coverage, snippets"
	@echo "make test-all  what takes long: the slow tests, random seeds, the docs"
	@echo "make soak      16 threads and 8 processes on each store, a minute each: caps hold, nobody shares a prospect"
	@echo "make lint      the checks that run no code          make format  let ruff put right what it can"
	@echo "make bench     the benchmarks                       make docs    the docs, into site/"
	@echo "make clean     remove the environments and all that was built"

demo: $(DEMO)/.ready
	$(DEMO)/bin/crmcore $(DAY)

test: lint
	$(IN_DEV) pytest -n $(WORKERS) --cov --cov-report=term

test-all: $(DEV)/.ready $(DEV)/.ready-spark docs
	$(IN_DEV) pytest -n $(WORKERS) -m "" --hypothesis-profile=nightly

soak: $(DEV)/.ready
	cd tests && ../$(IN_DEV) storage.soak

lint: $(DEV)/.ready
	$(IN_DEV) ruff check
	$(IN_DEV) ruff format --check
	$(IN_DEV) mypy
	$(BIN)/python $(BIN)/lint-imports --no-cache --no-logo

format: $(DEV)/.ready
	$(IN_DEV) ruff check --fix
	$(IN_DEV) ruff format

bench: $(DEV)/.ready
	$(IN_DEV) benchmarks

docs: $(DEV)/.ready-docs
	$(IN_DEV) mkdocs build --strict

clean:
	rm -rf $(DEMO) $(DEV) build dist site mutants .coverage .coverage.* coverage.json
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# The environments. Each notes where it was made: scripts inside one do not survive a move.
define make_environment # of directory $(1)
@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null; then \
	echo "crmcore needs Python 3.11 or newer with its venv module, and found $(or $(PYTHON),none)." >&2; \
	echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; \
	exit 1; fi
@if [ -e $(1)/.home ] && [ "$$(cat $(1)/.home)" != "$(CURDIR)" ]; then rm -rf $(1); fi
@if ! $(1)/bin/python -c '$(SUITABLE)' 2>/dev/null; then echo "Making $(1), once."; rm -rf $(1); "$(PYTHON)" -m venv $(1); fi
@$(1)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
endef

ifneq "$(shell cat $(DEMO)/.home 2>/dev/null)" "$(CURDIR)"
$(DEMO)/.ready: FORCE
endif
ifneq "$(shell cat $(DEV)/.home 2>/dev/null)" "$(CURDIR)"
$(DEV)/.ready: FORCE
endif

$(DEMO)/.ready: pyproject.toml $(SOURCES)
	$(call make_environment,$(DEMO))
	@$(DEMO)/bin/python -m pip install --quiet '.[cli]'
	@echo "$(CURDIR)" > $(DEMO)/.home
	@touch $@

$(DEV)/.ready: pyproject.toml
	$(call make_environment,$(DEV))
	@$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@echo "$(CURDIR)" > $(DEV)/.home
	@touch $@

$(DEV)/.ready-docs: $(DEV)/.ready
	@$(BIN)/python -m pip install --quiet --group docs
	@touch $@

$(DEV)/.ready-spark: $(DEV)/.ready
	@if command -v java >/dev/null; then $(BIN)/python -m pip install --quiet --group spark; fi
	@touch $@

FORCE:
