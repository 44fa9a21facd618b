# make demo and make test are all that a newcomer needs; they install what they need into .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
READY := .venv/ready

.PHONY: demo test live check lint types imports fuzz coverage audit bench cases docs tables clean
.DELETE_ON_ERROR:

demo: $(INSTALLED)  ## the main job on a small model: lint, pin, check, builds, their diff, and a base that moves
	$(BIN)/python examples/demo.py

test: $(READY)  ## the tests, offline
	$(BIN)/pytest -q -n auto -m "not live"

live: $(READY)  ## the tests that need a real Ollama server
	$(BIN)/pytest -q -m live

check: lint types imports coverage live  ## all that CI runs

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mf lint modelfiles examples

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

fuzz: $(READY)  ## long runs of the property tests and campaigns
	$(BIN)/pytest -q -n auto -m "not live" --hypothesis-profile=fuzz --rounds 20 tests/laws tests/faults tests/api/test_api.py tests/unit/gotemplate tests/unit/catalog

coverage: $(READY)
	$(BIN)/pytest -q -n auto -m "not live" --cov --cov-report=term

audit: $(READY)  ## known vulnerabilities of the packages that the project is installed and tested with
	$(BIN)/pip install --quiet --group audit
	$(BIN)/pip-audit --skip-editable

bench: $(READY)  ## the benchmarks, as ratios in one run
	$(BIN)/pip install --quiet --requirement bench/requirements.txt
	$(BIN)/python bench/run.py

cases: $(READY)  ## write the present output of the commands into tests/commands/cases
	$(BIN)/pytest -q tests/commands/test_cases.py --update-cases -p no:randomly

docs: $(READY)  ## write the documents that are generated from the code
	$(BIN)/python docs/tensor_types.py
	$(BIN)/python docs/generate.py

tables: $(READY)  ## write the tables of the grammars, after a change of a grammar
	$(BIN)/python -m modelfile.grammar

clean:
	rm -rf .venv .ollama .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# what `mf` needs

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# what its tests need, too; pip 25.1 is the first that knows --group

$(READY): $(INSTALLED)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --group dev
	@touch $@
