# `make run` builds the demo mesh, `make test` checks everything. Both install what they need into .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# The two environments of the tests are made side by side, and style is checked meanwhile.
ifeq ($(MAKECMDGOALS),test)
MAKEFLAGS += --jobs=2
endif

.DEFAULT_GOAL := help
.PHONY: help run dev lab test heavy fuzz lint bench install clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

run: $(VENV)/.run ## build the whole demo mesh and show it
	@$(BIN)/kit run

dev: $(VENV)/.run ## start Dagster's web UI, schedules and automation over the mesh
	@$(BIN)/kit dev

lab: $(VENV)/.lab ## open JupyterLab on the mesh
	@$(BIN)/kit lab

test: $(VENV)/.test $(VENV)/.judge lint ## run the whole test suite
	@$(PYTEST) -m "not slow and not heavy"
	@$(PYTEST) -m "slow and not heavy" --no-loadscope-reorder

heavy: $(VENV)/.test ## run the tests that take a minute each: servers, kills, many processes
	@$(PYTEST) -m heavy --no-loadscope-reorder

fuzz: $(VENV)/.test ## try the property tests with many random examples
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=fuzz

lint: $(VENV)/.test ## check style and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

bench: $(VENV)/.test ## measure the kit beside plain DuckDB and plain YAML
	@$(BIN)/python -m tests.bench

install: $(VENV)/.run ## install only

clean: ## delete the environment and everything that was built
	rm -rf $(VENV) .mesh

# Debian without python3-venv has no ensurepip; its own pip can put one into the environment.
$(BIN)/python:
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || \
		($(PYTHON) -m venv --without-pip --clear $(VENV) && $(PYTHON) -m pip --quiet --python $(VENV) install pip)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing pinned dependencies (a few minutes the first time)"
	@$(PIP) install --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.lab: pyproject.toml constraints.txt | $(VENV)/.run
	@echo "Installing what exploration notebooks draw with"
	@$(PIP) install --constraint constraints.txt --editable '.[demo,explore]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing pinned dependencies with the test extras"
	@$(PIP) install --constraint constraints.txt --editable '.[demo,explore,test]'
	@touch $@ $(VENV)/.run $(VENV)/.lab

# The judge of contracts in tests/system/test_judge.py wants other versions than the kit; the list says all of them.
$(VENV)/.judge: tests/judge.txt | $(BIN)/python
	@$(BIN)/python -m venv --without-pip $(VENV)/judge
	@$(PIP) --python $(VENV)/judge/bin/python install --no-deps --requirement tests/judge.txt
	@touch $@
