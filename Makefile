# Every verb sets up all it needs and returns at once when that is there. `make` alone lists them.

PYTHON := .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run demo bench screenshots test check coverage format lint types contracts speech lock clean

help:  ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Get ready to work on the project: system packages, .venv, project
	@scripts/set-up dev

# ---- the app

run:  ## Start the app on this desktop; with no screen, show the demonstration
ifeq ($(DISPLAY)$(WAYLAND_DISPLAY),)
	@echo 'There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set): this is the demonstration.'
	@$(MAKE) --no-print-directory demo
else
	@scripts/set-up run
	@.venv/bin/lysnrai $(ARGS)
endif

demo: setup speech  ## Speak human recordings into the app on a virtual desktop; fails unless the words are right
	@$(PYTHON) -m tests.e2e.demo $(ARGS)

bench: setup speech  ## Measure; writes build/bench.json and a table
	@$(PYTHON) -m tests.bench $(ARGS)

screenshots: setup speech  ## Take pictures of tray, overlay and windows, light and dark
	@$(PYTHON) -m tests.e2e.screenshots $(ARGS)

# ---- the checks

test: setup speech  ## Run all tests (ARGS=tests/core for some)
	@$(PYTHON) -m pytest $(ARGS)

check: setup  ## Format, lint, types, import contracts, tests with coverage: what must pass before anything lands
	@$(PYTHON) -m ruff format --check .
	@$(MAKE) --no-print-directory lint types contracts coverage

lint: setup  ## Look for mistakes and matters of style
	@$(PYTHON) -m ruff check .

types: setup  ## Check the types, strictly
	@$(PYTHON) -m mypy

contracts: setup  ## Check who imports whom
	@.venv/bin/lint-imports --no-logo

coverage: setup speech
	@$(PYTHON) -m coverage erase
	@$(PYTHON) -m coverage run -m pytest $(ARGS)
	@$(PYTHON) -m coverage combine --quiet
	@$(PYTHON) -m coverage report
	@$(PYTHON) -m coverage report --include='lysnrai_desktop/core/*' --fail-under=100

format: setup  ## Format the code, sort the imports
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix --exit-zero --quiet --select I .

speech: setup
	@$(PYTHON) -m tests.speech fetch

# ---- upkeep

lock: setup  ## Lock what pyproject.toml names (ARGS=--upgrade for the newest of each)
	@scripts/lock $(ARGS)

clean:  ## Remove what the verbs made, the virtual environment included
	@rm -rf .venv build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
