# Every target says what it does in `make help`. Set-up, tests and tools need Python 3.11 and nothing else.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SILENT:
.SUFFIXES:

PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
BIN := .venv/bin
ARGS ?=
# The type checker imports the settings; it must not make a data directory for that.
TYPES_ENV := TICKPLANE_SECRET_KEY=types-only

.PHONY: help
help: ## Say what can be made
	grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | while IFS='|' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

.PHONY: run
run: ## Start everything here; ARGS="--port 8000" passes flags on
	exec $(PYTHON) controlplane/bootstrap.py run $(ARGS)

.PHONY: test
test: ## Prepare what the tests need, then run all of them; ARGS="-k words" selects
	$(PYTHON) tests/prepare.py
	exec $(BIN)/pytest $(ARGS)

.PHONY: quick
quick: tools ## Format, lint, contracts: on each save
	$(BIN)/ruff format --quiet
	$(BIN)/ruff check --quiet
	said=$$($(BIN)/lint-imports) || { echo "$$said"; exit 1; }

.PHONY: check
check: tools ## Format, lint, contracts, types, migrations, fast tests: before each push
	$(MAKE) -j --output-sync=target --keep-going check-style check-types check-units check-loopback

.PHONY: check-style check-types check-units check-loopback
check-style:
	$(BIN)/ruff format --quiet --check
	$(BIN)/ruff check --quiet
check-types:
	$(TYPES_ENV) $(BIN)/mypy .
check-units: # `tests/arch` holds the contracts and the migrations.
	$(BIN)/pytest -q tests/arch tests/unit
check-loopback: # Waits more than it works: beside the others it costs nothing.
	$(BIN)/pytest -q tests/loopback

.PHONY: bench
bench: tools ## Run one measurement, BENCH=name; its JSON line stays in var/bench
	if [ -z "$(BENCH)" ] || [ ! -f "tests/bench/$(subst -,_,$(BENCH)).py" ]; then \
	  known=$$(cd tests/bench 2>/dev/null && ls *.py 2>/dev/null | sed -e 's/\.py$$//' -e '/^__init__$$/d' -e 's/_/-/g' | paste -sd' '); \
	  echo "make bench: no measurement is called '$(BENCH)'; there is: $${known:-none yet}. Use BENCH=name." >&2; exit 2; \
	fi
	(umask 077; mkdir -p var/bench)
	$(BIN)/python -m tests.bench.$(subst -,_,$(BENCH)) $(ARGS) | tee var/bench/$(BENCH).json

.PHONY: screenshots
screenshots: tools ## Make the pictures of the documentation anew
	exec $(BIN)/python -m tests.screenshots $(ARGS)

.PHONY: proto
proto: tools ## Generate the code of the message schemas
	cd streams/core/proto && ../../../$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. *.proto

.PHONY: lock
lock: ## Lock the dependencies, export what pip installs (needs uv); ARGS=--upgrade takes the newest
	command -v uv >/dev/null || { echo "make lock: uv is not installed; see https://docs.astral.sh/uv/" >&2; exit 2; }
	uv lock --quiet $(ARGS)
	# Each file's head repeats its command; --quiet would be part of it.
	uv export --no-dev --no-emit-project -o requirements.txt >/dev/null
	uv export --group dev --no-emit-project -o requirements-dev.txt >/dev/null
	uv export --only-group node --no-emit-project -o requirements-node.txt >/dev/null
	uv export --only-group bench --no-emit-project -o requirements-bench.txt >/dev/null

.PHONY: tools
tools:
	$(PYTHON) controlplane/bootstrap.py prepare --dev

.PHONY: clean
clean: ## Remove what tools and the set-up made; data in ./var stays
	rm -rf .venv .venv-node .venv-bench node_modules realtime/static/realtime/vendor
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
