# Two commands do everything on a machine with Python 3.11+ and make: `make run` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
ADDRESS := http://127.0.0.1:1400

.PHONY: run test lint format types layers unit test-long bench lock clean

run: .venv/run
	@$(BIN)/freezegate serve --policies policies.yaml

test: .venv/dev lint types layers unit

# pip installs from hash-pinned lock files alone; the project itself is built without the network.
.venv/run: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m compileall -q app
	@echo "$$PWD" > "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/freezegate.pth"
	@printf '#!/bin/sh\nexec "%s/$(BIN)/python" -m app.cli "$$@"\n' "$$PWD" > $(BIN)/freezegate
	@chmod +x $(BIN)/freezegate
	@touch $@

.venv/dev: requirements/dev.txt .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/dev
	$(BIN)/mypy

layers: .venv/dev
	$(BIN)/lint-imports

unit: .venv/dev
	$(BIN)/pytest -n 2 --cov --cov-report=term:skip-covered

