# Two commands for a newcomer: `make demo` and `make test`. Everything else is for those who work on the engine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test soak lint types docs bench clean
setup: $(READY)
	@echo "$(VENV) is ready." >&2

# Nothing of this goes to standard output: `make demo JSON=1` prints one JSON object, also from a fresh clone.
$(READY): pyproject.toml
	@echo "Setting up $(VENV), once; this takes a minute." >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rules-engine needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip >&2
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' >&2
	@touch $(READY)

demo: $(READY)
	@$(BIN)/rules-engine demo $(if $(ONCE),--once) $(if $(JSON),--json)

test: $(READY)
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

# The law over a long time, for as long as you like: make soak EXAMPLES=2000 STEPS=400. Other examples every time.
soak: $(READY)
	EXAMPLES=$(or $(EXAMPLES),500) STEPS=$(or $(STEPS),200) $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal --hypothesis-profile=hunt tests/lane/test_ledger_machine.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/ruff check --select D100,D101,D102,D103,D104 rules_engine benchmarks
	$(BIN)/rules-engine check
	$(BIN)/rules-engine test
	$(BIN)/rules-engine test rules/library

bench: $(READY)
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
