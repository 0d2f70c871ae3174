# make demo   set up, train 4 methods x 3 compressions on the embedded model, evaluate, report
# make test   set up, run the tests
# make test-gpu   set up, test what only a GPU shows; says so and skips without one
# make bench      training, reference and perplexity beside TRL and lm-eval, in turns, on one core (MODEL=DIR DATA=FILE)
# make bench-gpu  the same on a GPU; says so and skips without one
# make hostile   set up, run every malformed input of a seed (SEED=7)
# make lint   ruff, mypy, import-linter
# make reference   write docs/reference again from the plugins' classes and the hooks
# make notebook    execute docs/how-to/python.ipynb and write its outputs again
# make matrix      every step, export and evaluator on 39 tiny architectures (hours); docs/reference/architectures.md
# make audit       known vulnerabilities of the pinned libraries, as a report (needs pip-audit; never fails)
# make package     build wheel and sdist, install each into an empty environment, list the plugins there
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
LIBRARIES := $(VENV)/libraries
READY := $(VENV)/ready
# the tests start Python hundreds of times: it compiles ptx once and keeps that
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-gpu bench bench-gpu hostile lint format reference notebook matrix package audit clean

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

test-gpu: $(READY)
	OMP_NUM_THREADS=4 $(BIN)/python -m pytest -rs -m gpu tests/test_gpu.py

BENCH := $(BIN)/python benchmarks/speed/run.py $(if $(MODEL),--model $(MODEL)) $(if $(DATA),--data $(DATA))

bench: $(READY)
	$(BENCH) --json benchmarks/speed/speed.json

bench-gpu: $(READY)
	$(BENCH) --device cuda --rows 16 --steps 20 --pairs 500 --texts 200 --json benchmarks/speed/speed.json

hostile: $(READY)
	PTX_HOSTILE=$(or $(SEED),7) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/ptx/cli/test_hostile.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: $(READY)
	$(BIN)/python docs/make_reference.py

notebook: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python docs/make_notebook.py

matrix: $(READY)
	$(BIN)/python benchmarks/architectures/run.py

package: $(READY)
	rm -rf dist build
	$(BIN)/python -m build --no-isolation --outdir dist .
	for made in dist/*.whl dist/*.tar.gz; do \
	  rm -rf build/try && $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --target build/try $$made && \
	  (cd build/try && PYTHONPATH=. ../../$(BIN)/python -m ptx plugins sft) || exit 1; \
	done

audit:
	@.ci/audit

clean:
	rm -rf $(VENV) build dist ptx-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
