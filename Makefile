# make demo   set up, train 4 methods x 3 compressions on the embedded model, evaluate, report
# make test   set up, run the tests
# make lint   ruff, mypy, import-linter
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
LIBRARIES := $(VENV)/libraries
READY := $(VENV)/ready

.PHONY: setup demo test lint format clean

setup: $(READY)

$(LIBRARIES): requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$$(grep '^torch==' requirements.txt)"
	$(PIP) -r requirements.txt
	touch $@

# `plugins` is newer when a plugin came or went: its entry point has to follow
$(READY): $(LIBRARIES) pyproject.toml setup.py plugins
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)
	$(BIN)/ptx sweep sweeps/demo.yaml

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist ptx-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
