# Everything a developer types. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.in-step-with-lock
TESTS ?= tests
WORKERS ?= 2

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## install everything into .venv, as pinned in requirements.lock

$(STAMP): requirements.lock infra/tesseract.sh
	@bash infra/tesseract.sh
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 is needed: make setup PYTHON=python3.11" if sys.version_info[:2] != (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@touch $@

demo: setup ## make a draft on the embedded stack: make demo KIND=blog|carousel|instagram TOPIC="…"
	$(BIN)/python -m infra.local.demo $(if $(KIND),--kind "$$KIND") $(if $(TOPIC),--topic "$$TOPIC")
export KIND TOPIC

up: setup ## start the embedded stack and keep it running
	$(BIN)/python -m infra.local up --detach

down: setup ## stop it; its data stays in .local/
	$(BIN)/python -m infra.local down

test: setup ## run all tests: make test TESTS=tests/shared
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(TESTS)

check: setup ## lint, types, imports, sizes, lock, SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright
	$(BIN)/squawk --config .squawk.toml supabase/migrations/*.sql
	$(BIN)/python -m infra.checks

chaos: setup ## break everything for ten minutes and check that nothing is lost: make chaos SEED=7 DURATION_S=60
	@$(BIN)/python -m tests.chaos --seed $(SEED) --duration-s $(DURATION_S)
SEED ?= 1
DURATION_S ?= 600

bench: setup ## measure on the embedded stack: a table, and JSON in out/
	$(BIN)/python -m bench

lock: ## pin the dependencies of pyproject.toml in requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-header --no-annotate \
	  --output-file requirements.lock pyproject.toml
	$(BIN)/python -m infra.checks --stamp-lock

.PHONY: help setup demo up down test check chaos bench lock
