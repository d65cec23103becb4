# The only commands to remember. `make help` lists them.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo run test load-test check format lint types openapi bench clean
.DEFAULT_GOAL := help

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

demo: $(VENV)/.runtime ## Render a sample edit through the API, queue and FFmpeg; leaves var/demo/demo.mp4
	@$(BIN)/python -m renderowl.local.demo

run: $(VENV)/.runtime ## Server and worker on http://127.0.0.1:$(PORT), until Ctrl-C
	@PORT=$(PORT) $(BIN)/python -m renderowl.local.run

test: $(VENV)/.dev ## The whole suite on SQLite, with every service that is reachable
	@$(BIN)/pytest

load-test: $(VENV)/.load ## Install the load generator, and print how to use it
	@echo "Installed. With a server running: $(BIN)/python manage.py load_test --key ro_live_... --duration 10"
	@echo "The probes alone, without a key: $(BIN)/python manage.py load_test_health"

check: lint types ## Format, lint, types, import contracts, migrations, deployment, tests with coverage
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python -m tests.openapi.documents --check
	@DEBUG=0 SECRET_KEY=$$($(BIN)/python -c "import secrets; print(secrets.token_urlsafe(64))") \
		ALLOWED_HOSTS=renderowl.example $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(BIN)/pytest --cov --cov-report=term
	@$(BIN)/python -m tests.branch_coverage

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: $(VENV)/.dev
	@$(BIN)/mypy .

format: $(VENV)/.dev ## Rewrite the code in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

openapi: $(VENV)/.dev ## Rewrite docs/openapi/ from the code; refuses changes that break clients
	@$(BIN)/python -m tests.openapi.documents

bench: $(VENV)/.dev ## Benchmarks; each prints ratios measured side by side
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean: ## Remove the virtual environment; keeps var/
	@rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Renderowl needs Python 3.11 or newer; '$(PYTHON)' is not (set PYTHON=... to choose another)." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "Installing the pinned packages..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "Installing the development packages..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime $(VENV)/.load

$(VENV)/.load: requirements-load.txt requirements.txt | $(VENV)/bin/python
	@echo "Installing the load generator..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-load.txt
	@touch $@ $(VENV)/.runtime
