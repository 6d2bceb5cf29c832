# `make run` builds the demo mesh, `make test` checks everything. Both install what they need into .venv first.

# The Python of the environment: the first of these that the kit runs on, or `make run PYTHON=python3.12`.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
MINOR := import sys; print("%d.%d" % sys.version_info[:2])
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(SUPPORTED)' 2>&- && echo $$p && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin

# An environment of another Python than was asked for, or of one that the kit does not run on, is made anew.
HAVE := $(if $(wildcard $(BIN)/python),$(shell $(BIN)/python -c '$(MINOR)' 2>&-))
WANT := $(shell $(PYTHON) -c '$(SUPPORTED)' 2>&- && $(PYTHON) -c '$(MINOR)')
ifneq ($(and $(HAVE),$(WANT)),)
ifneq ($(HAVE),$(if $(filter file,$(origin PYTHON)),$(filter 3.11 3.12 3.13,$(HAVE)),$(WANT)))
$(info $(VENV) is of Python $(HAVE): making it anew with $(WANT))
$(shell rm -rf $(VENV))
endif
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# The two environments of the tests are made side by side, and style is checked meanwhile.
ifeq ($(MAKECMDGOALS),test)
MAKEFLAGS += --jobs=2
endif

# Without its compiled files each process of the kit takes a third longer to start, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run dev lab test heavy release fuzz lint bench bench-peers install clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

run: $(VENV)/.run ## build the whole demo mesh and show it
	@$(BIN)/kit run

dev: $(VENV)/.run ## start Dagster's web UI, schedules and automation over the mesh
	@$(BIN)/kit dev

lab: $(VENV)/.lab ## open JupyterLab on the mesh
	@$(BIN)/kit lab

test: $(VENV)/.test $(VENV)/.judge lint ## test the kit and the mesh: domains, builds, notebooks
	@$(PYTEST) -m "not heavy" --nbval-lax --no-loadscope-reorder

release: $(VENV)/.test ## test what only the kit's own repository promises: packaging, documents
	@$(PYTEST) -m release

heavy: $(VENV)/.test $(VENV)/.datahub $(VENV)/.openmetadata ## run the tests that take a minute each: servers, kills, many processes
	@$(PYTEST) -m heavy --no-loadscope-reorder

fuzz: $(VENV)/.test ## try the property tests with many random examples
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=fuzz

lint: $(VENV)/.test ## check style and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

bench: $(VENV)/.test ## measure the kit beside plain DuckDB, dbt and, where it is installed, SQLMesh
	@$(BIN)/python -m tests.bench

bench-peers: $(VENV)/.sqlmesh ## install SQLMesh, beside which `make bench` measures then

install: $(VENV)/.run ## install only

clean: ## delete the environment and everything that was built
	rm -rf $(VENV) .mesh

# Debian without python3-venv has no ensurepip; its own pip can put one into the environment.
$(BIN)/python:
	@$(PYTHON) -c '$(SUPPORTED)' 2>&- || { v=$$($(PYTHON) -c '$(MINOR)' 2>&-); \
		echo "$(PYTHON) is $${v:+Python }$${v:-not installed}, and the kit runs on Python 3.11, 3.12 and 3.13:" \
		"install one of them, then call make with PYTHON=python3.12" >&2; exit 1; }
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

# The judges of what `kit export datahub` and `kit export openmetadata` write; without them their tests are skipped. And a peer.
$(VENV)/.datahub $(VENV)/.openmetadata $(VENV)/.sqlmesh: $(VENV)/.%: tests/%.txt | $(BIN)/python
	@$(BIN)/python -m venv --without-pip $(VENV)/$*
	@$(PIP) --python $(VENV)/$*/bin/python install --no-deps --requirement $< && touch $@ || \
		{ rm -rf $(VENV)/$*; echo "the packages of $< cannot be installed: what needs them is left out" >&2; }
