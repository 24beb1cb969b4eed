# make run    set up and serve the app      make test   the whole suite, with a real browser
# make check  ruff, mypy, import contracts       make clean  remove the environment

# The first Python that runs and fits: a name on the PATH may be a shim of a version not installed.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.12 python3.13 python3.11 python3; do $$name -c '$(FITS)' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile -q
export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_DISABLE_TELEMETRY := 1
# Without its compiled files Python needs three times as long to start the app.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check chromium clean

run: .venv/installed
	$(BIN)/python app.py

test: .venv/installed-dev chromium
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/e2e $(ARGS)
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e $(ARGS)

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.venv/bin/python:
	@$(or $(PYTHON),false) -c '$(FITS)' || { echo "Python 3.11, 3.12 or 3.13 is needed: install one, or run: make PYTHON=/path/to/python run"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	$(PIP) -r requirements.txt
	@# What the first page imports is compiled now, and the rest when it is first used.
	$(BIN)/python -c "import enhancers.ui, gradio.http_server, study.demo.site"
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements-cluster.txt requirements-hdf5.txt requirements-mcp.txt requirements-restoration.txt requirements-segmentation.txt .venv/installed
	$(PIP) $(addprefix -r ,$(filter %.txt,$^))
	@touch $@

chromium:
	@command -v chromium >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -yq chromium; \
	  elif command -v apt-get >/dev/null && command -v sudo >/dev/null; then sudo apt-get update -q && sudo apt-get install -yq chromium; \
	  else echo "The browser tests need a program named chromium and this machine has no apt: install it, or run: READINGROOM_NO_BROWSER=1 make test"; \
	       [ -n "$$READINGROOM_NO_BROWSER" ]; fi; }

clean:
	rm -rf .venv
