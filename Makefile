# Everything installs into .venv, from the package index alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= results
READY := $(VENV)/.ready

.PHONY: table test test-all lint format bench docs links clean

## Compare SWAP with other zero-cost proxies on NAS-Bench-201; nothing else is needed.
table: $(READY)
	$(BIN)/naslib-swap table --out $(OUT)

## Lint, types and the fast tests.
test: lint
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

## The slow tests too.
test-all: lint
	$(BIN)/pytest -n 2 --dist loadfile

# mypy and the documentation want the package in one folder; predictors/ and optimizers/ are mapped
# into it on install.
TYPING := build/typing/naslib_swap
links:
	mkdir -p $(TYPING)
	for part in naslib_swap/* predictors optimizers configs; do \
	    ln -sfn "$(CURDIR)/$$part" "$(TYPING)/$$(basename $$part)"; done

lint: $(READY) links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=build/typing $(BIN)/mypy -p naslib_swap

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## Speed and memory, as ratios.
bench: $(READY)
	$(BIN)/python benchmarks/core.py

## The documentation site, into build/site; a warning is an error.
docs: $(READY) links
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): setup.cfg setup.py naslib_swap/_patterns.c pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[analog,text,test]"
	touch $(READY)
