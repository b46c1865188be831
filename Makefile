# Everything runs in .venv, made here; a second run finds it there and installs nothing.
PYTHON ?= python3
PORT ?= 7860
INDEX ?= corpus.index
BIN := .venv/bin

.PHONY: setup serve test lint figures clean

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,llm]'
	touch $@

serve: setup
	$(BIN)/pincite add corpus/documents --index $(INDEX)
	$(BIN)/pincite serve --index $(INDEX) --port $(PORT)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest

clean:
	rm -rf .venv build dist *.egg-info *.index
