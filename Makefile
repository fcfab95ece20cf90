# `make demo` and `make test` do everything on a machine with git, make and Python 3.10 or newer (with venv).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak check bench docs clean-venv

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install Headwater and its tools into .venv

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: setup ## Run the whole pipeline on the embedded stack and show the result
	$(BIN)/headwater demo

test: setup ## Run the tests
	$(BIN)/python -m pytest -n 2 -m 'not soak'

soak: setup ## Run the tests that take minutes
	$(BIN)/python -m pytest -n 2 -m soak

check: setup ## Run what CI runs: lint, types, layers, dependency resolution, docs, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_resolution.py
	$(BIN)/python tools/write_reference.py --check
	$(MAKE) test

bench: setup ## Measure, side by side with peers and physical limits
	$(BIN)/python -m bench

docs: setup ## Regenerate the reference pages from the code
	$(BIN)/python tools/write_reference.py
