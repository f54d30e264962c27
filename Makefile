# On a machine with Python 3.11+ and make, two commands do everything: `make run` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
# The locks are complete, so nothing is left to resolve: pip's resolver has taken a newer release for a package
# that another wants with an extra, and then refused it for want of a hash. `pip check` tells if one is missing.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

.PHONY: run test lint types layers unit test-long test-hours test-busy bench schema pictures format lock clean reference dist demo-github

run: .venv/run
	@$(BIN)/freezegate serve

test: .venv/dev lint types layers unit

# From hash-pinned lock files alone. The project itself is not built: a .pth file puts this folder on the
# path and a two-line script starts it, so that nothing but the locked packages comes from the network.
# Isolated (-I): else Python would look for `app` and for its own modules in the folder the command is called in
# first, which in a pipeline is somebody's repository.
.venv/run: requirements/run.txt Makefile
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements/run.txt
	@echo "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/freezegate.pth"
	@printf '#!/bin/sh\nexec "%s/$(BIN)/python" -I -m app.cli "$$@"\n' "$(CURDIR)" > $(BIN)/freezegate
	@chmod +x $(BIN)/freezegate
	@touch $@

.venv/dev: requirements/dev.txt .venv/run
	$(PIP) -r requirements/dev.txt
	@$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

layers: .venv/dev
	$(BIN)/lint-imports --no-cache

unit: .venv/dev
	$(BIN)/pytest -n 3 --dist worksteal --cov

# The engine against its slow twin a million times, and the API against its own document for longer.
test-long: .venv/dev
	FREEZEGATE_CASES=1000000 $(BIN)/pytest -n 2 tests/spec
	$(BIN)/pytest -m long

# The same suite at hours at which it once failed, or might: 02:37 in Amsterdam on the last of a month, in the
# hour that is skipped, in the one that comes twice, on 29 February; and with both cores kept busy.
HOURS := 2026-11-30T01:37 2027-03-28T00:57 2027-10-31T00:37 2028-02-29T01:37
test-hours: .venv/dev
	$(CC) -shared -fPIC -o .venv/clock_shift.so tests/clock_shift.c -ldl
	@set -e; for hour in $(HOURS); do echo "== at $$hour UTC"; \
		shift=$$(( $$(date -d "$$hour UTC" +%s) - $$(date +%s) )); \
		CLOCK_SHIFT=$$shift LD_PRELOAD=$(CURDIR)/.venv/clock_shift.so $(BIN)/pytest -q -n 2 --dist worksteal; \
	done

test-busy: .venv/dev
	@timeout 3600 sh -c 'while :; do :; done' & one=$$!; timeout 3600 sh -c 'while :; do :; done' & two=$$!; \
	trap "kill $$one $$two" EXIT; $(BIN)/pytest -q -n 2 --dist worksteal

bench: .venv/dev
	$(BIN)/python -m bench.engine
	$(BIN)/python -m bench.load
	$(BIN)/python -m bench.serve
	$(BIN)/python -m bench.operations
	$(BIN)/python -m bench.listeners
	$(BIN)/python -m bench.heads

schema: .venv/dev
	$(BIN)/python -m app.policies.schema

# The generated parts of docs/reference, anew.
reference: .venv/dev
	$(BIN)/python -m tests.docs.reference

# A gate and a GitHub on this machine: a deploy waits for a freeze of a minute to end.
demo-github: .venv/dev
	@$(BIN)/python -m tests.integrations.github.demo

# A release: wheel, sdist, bill of materials, checksums. The same commit gives the same bytes.
dist: .venv/dev
	rm -rf dist
	@$(BIN)/python -m release dist

# The screenshots in the documents, anew; it needs a Chromium.
pictures: .venv/dev
	$(BIN)/python -m tests.web.pictures

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Resolves anew; the result names no registry. What a set shares with the one before it has the same version.
COMPILE := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --output-file requirements/dev.txt --extra dev --extra otel pyproject.toml
	$(COMPILE) --output-file requirements/otel.txt --constraint requirements/dev.txt --extra otel pyproject.toml
	$(COMPILE) --output-file requirements/run.txt --constraint requirements/dev.txt pyproject.toml
	echo hatchling | $(COMPILE) --output-file requirements/build.txt --constraint requirements/dev.txt -
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
