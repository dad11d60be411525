PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= runs
TEST_PROCESSES ?= 2
SEARCH_FLAGS ?= --trials 16 --hours 0.12 --epochs 300 --seeds 3

.PHONY: search test lint leaderboard ui docs bench bench-quick clean

search: $(VENV)/installed ## search the ATLAS WGAN-GP on the sample that ships with the project
	$(BIN)/python search/atlas_gan.py $(SEARCH_FLAGS) --output $(OUTPUT)

test: $(VENV)/installed ## run the tests (the long ones: .venv/bin/pytest -m slow)
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed ## style, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

leaderboard: $(VENV)/installed ## build the leaderboard pages again from their records
	$(BIN)/arena leaderboard build --output $(OUTPUT)

ui: $(VENV)/installed ## compare trials in the MLflow UI, on this machine only
	$(BIN)/python -m mlflow ui --backend-store-uri sqlite:///$(abspath $(OUTPUT))/mlflow.db --host 127.0.0.1

docs: $(VENV)/installed ## write the generated tables of the documentation again
	$(BIN)/arena docs

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

bench: $(VENV)/installed ## every benchmark, and their page (long)
	$(BIN)/python benchmarks/run_all.py --write docs

bench-quick: $(VENV)/installed ## the short ones
	$(BIN)/python benchmarks/run_all.py --suite quick

clean: ## remove the environment (searches in runs/ stay)
	rm -rf $(VENV)
