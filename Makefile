# Everything below needs only python3 (3.10 or newer) and runs in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.PHONY: help install dataset test check format bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.dev ## make .venv with all that tests and checks need (torch among it)

# Building needs no torch, so the demo does not wait for it. The marker comes last: without it .venv
# is what another Python or a run that was stopped left there, and is made anew.
.venv/.base: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null || { \
	    found=$$($(PYTHON) --version 2>&1) || found="not there"; \
	    for other in python3.13 python3.12 python3.10 python3.11; do \
	        $$other -c "" 2> /dev/null && break; \
	    done; \
	    echo "error: Python 3.10 or newer is needed, $(PYTHON) is $$found;" \
	        "choose another: make PYTHON=$$other $(MAKECMDGOALS)" >&2; \
	    exit 1; \
	}
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@echo "installing what building needs into .venv: about 60 packages, a minute or two"
	$(PIP) -e .
	touch $@

.venv/.dev: .venv/.base
	@echo "installing what tests and checks need into .venv, torch among it: some minutes"
	$(PIP) -e '.[dev]'
	touch $@

dataset: .venv/.base ## build the demo dataset into lego-arta/ and show how to load it
	$(BIN)/lego-arta build

test: install ## run every test
	$(BIN)/python -m pytest

check: install ## format, lint and types, as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## measure speed, memory and size
	$(BIN)/lego-arta bench build

clean: ## remove the build, its stages and the environment
	rm -rf .venv .work lego-arta
