# `make run` and `make test` set up everything they need; no other step, no variable, no root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Byte code that is not kept makes every start of ours slower.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test coverage mutants slow e2e cluster pictures ui check lint types audit fuzz dist setup bench clean lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## scrub the newest day on the embedded default, through Dagster
	@$(BIN)/etl-dagster run

test: setup ## run the tests (less than ten minutes on two cores)
	@echo "== tests"
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow and not browser and not cluster"

coverage: export COVERAGE_FILE := $(CURDIR)/.coverage/data
coverage: setup ## the same tests, and how many lines and branches they run (a domain package: 95 %)
	@echo "== tests, measured"
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest -q -n 2 --dist worksteal -m "not slow and not browser and not cluster"
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage json -q -o .coverage/all.json
	@$(BIN)/python -m etl_dagster_tests.coverage_table .coverage/all.json

mutants: setup ## changes verdicts, store and reconciliation in one place: do tests notice? (hours)
	@echo "== mutants of the verdicts' SQL"
	@$(BIN)/python -m etl_dagster_tests.sql_mutants || true
	@echo "== mutants of Python"
	@$(BIN)/python -m etl_dagster_tests.python_mutants || true

slow: setup ## the tests that take long: killed runs, fresh homes, random histories
	@echo "== slow tests"
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "slow and not browser and not cluster"

e2e: setup ## the real UI in a browser, processes killed (needs Chromium)
	@echo "== end to end"
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m browser etl_dagster_tests/e2e

cluster: setup ## two hosts, one of them killed, over Postgres and Redis (needs both installed)
	@echo "== cluster"
	@$(BIN)/python -m pytest -q -s -m cluster etl_dagster_tests/cluster

pictures: export PICTURES := docs/images
pictures: setup ## the pictures of the docs, taken from the real UI (needs Chromium)
	@$(BIN)/python -m pytest -q -m browser etl_dagster_tests/e2e/test_ui.py

ui: setup ## the Dagster UI, daemon and sandbox on http://127.0.0.1:3000
	@$(BIN)/etl-dagster ui

check: lint types test slow ## lint, types, all tests but those in a browser

lint: setup ## ruff, rules and format; imports flow one way
	@echo "== lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@found=$$($(BIN)/lint-imports --no-cache) || { echo "$$found"; exit 1; }

types: setup ## mypy, strict
	@echo "== types"
	@$(BIN)/mypy

audit: setup ## the locked packages against known vulnerabilities
	@echo "== audit"
	@$(BIN)/python .ci/audit.py

fuzz: export ETL_FUZZ_MINUTES ?= 10
fuzz: setup ## hostile bytes at every door, ETL_FUZZ_MINUTES each
	@$(BIN)/python -m pytest -q -o timeout=0 etl_dagster_tests/test_fuzz.py

dist: setup ## wheel and source distribution, into dist/
	@$(BIN)/python -m build --no-isolation

bench: setup ## every figure that the docs quote, at full size (some half an hour)
	@mkdir -p docs/figures
	@echo "== start of a process"
	@$(BIN)/python -m benchmarks.start --json docs/figures/start.json
	@echo "== Do-Not-Call store"
	@$(BIN)/python -m benchmarks.dnc --numbers 2.5e8 --queries 3e6 --rows 2e7 --json docs/figures/dnc.json
	@echo "== CCC scrub"
	@$(BIN)/python -m benchmarks.ccc --json docs/figures/ccc.json
	@echo "== ledger"
	@$(BIN)/python -m benchmarks.ledger --verdicts 1e6 --json docs/figures/ledger.json
	@echo "== a day"
	@$(BIN)/python -m benchmarks.day --leads 1e4 1e5 1e6 --numbers 2.5e8 --chunks 8 --json docs/figures/day.json
	@echo "== against the pattern's own way"
	@$(BIN)/python -m benchmarks.versus --leads 2e3 2e4 1.5e5 --numbers 2e7 --json docs/figures/baseline.json
	@$(BIN)/python -m benchmarks.tables
	@$(BIN)/python -m benchmarks.scaling

setup: $(VENV)/.ready ## the environment, from the hash-locked requirements

$(VENV)/.ready: requirements.txt pyproject.toml
	@echo "== setting up $(VENV) (about a minute, once)"
	@command -v $(PYTHON) >/dev/null || { \
		echo "there is no $(PYTHON) here: install Python 3.11 or later, or name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"etl_dagster needs Python 3.11 or later, and $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: apt-get install python3-venv)"; exit 1; }
	@{ $(PYTHON) -m venv --clear $(VENV) && \
		$(BIN)/python -m pip install -qq --require-hashes --requirement requirements.txt && \
		$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable . && touch $@; } || { \
		echo "setting up $(VENV) failed, as pip says above. It needs a network with a Python package index (or PIP_INDEX_URL," \
			"PIP_PROXY, as pip knows them) and 1.5 GB of disk here and in TMPDIR; then give the same command again."; exit 1; }

lock: setup ## renew requirements.txt and the image's from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--no-strip-extras --generate-hashes --output-file requirements.txt --quiet
	@uv pip compile pyproject.toml deploy/image.in --extra cluster --extra redis --extra s3 \
		--constraints requirements.txt --universal --python-version 3.11 --no-strip-extras \
		--no-annotate --generate-hashes --output-file deploy/requirements.txt --quiet

clean: ## stop the embedded parts, delete the environment and all local state
	@test ! -x $(BIN)/etl-dagster || $(BIN)/etl-dagster sandbox down
	@rm -rf $(VENV) .etl build dist .coverage mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
