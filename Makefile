# Each target sets up what it needs in .venv first; only Python >= 3.10 and make are expected.
PYTHON ?= python3
BIN := .venv/bin
ON_TWO_CORES := --numprocesses=2 --dist=worksteal
UNTRACED := $(addprefix --ignore=tests/,architecture contract differential docs samples simulation)

.PHONY: demo test test-full new-seeds test-all prefork clients check bench docs clean

.venv/runs: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[all]"
	@touch $@

.venv/tests: .venv/runs
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

.venv/proves: .venv/tests
	$(BIN)/python -m pip install --quiet --group full
	@touch $@

.venv/develops: .venv/proves
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

demo: .venv/runs  ## the main job, on the embedded emulator
	$(BIN)/python samples/demo.py

test: .venv/tests  ## all tests but the heavy ones, on two cores
	$(BIN)/python -m pytest -m "not heavy" $(ON_TWO_CORES)

# Heavy tests run one after the other: some of them measure time and memory. The tests that are run
# once more, for coverage, are those that reach lines which no others reach. `check` runs the typed
# programs, with the checkers that they need.
test-full: .venv/proves  ## what `make test` leaves out, and the coverage gate
	$(BIN)/python -m pytest -m heavy --ignore=tests/typed_programs
	$(BIN)/python -m pytest -m "not heavy and not unmeasured" $(ON_TWO_CORES) --quiet \
		--cov --cov-report=term $(UNTRACED)

new-seeds: .venv/tests  ## 20,000 schedules of each source and a soak that nobody has run before
	$(BIN)/python -m tests.simulation
	$(BIN)/python -m tests.simulation configcat
	SOAK_SEED=$$(date +%s) $(BIN)/python -m pytest tests/soak

.venv/serves: .venv/tests
	$(BIN)/python -m pip install --quiet --group prefork
	@touch $@

prefork: .venv/serves  ## the servers that tests/prefork runs (uWSGI is compiled); without it they skip

# Most modules of the Azure CLI are never imported here, so pip is not to compile them.
.venv/tests-of-clients: .venv/tests
	$(BIN)/python -m tests.contract.suites.archives
	$(PYTHON) -m venv .venv/az
	.venv/az/bin/python -m pip install --quiet --upgrade pip
	.venv/az/bin/python -m pip install --quiet --no-compile --group az
	@touch $@

# ConfigCat's SDK before 7 has the name of the newer one, so it lies beside the packages.
CONFIGCAT_603 := .venv/suites/configcat-client-6.0.3
$(CONFIGCAT_603): .venv/tests
	$(BIN)/python -m tests.support.configcat603
	@touch $@

clients: .venv/tests-of-clients $(CONFIGCAT_603)  ## Azure CLI, an old ConfigCat SDK, the official clients' own tests (700 MB); without them tests skip

.venv/tries: .venv/runs
	$(BIN)/python -m pip install --quiet --group versions
	@touch $@

# Pythons are found by name on PATH, with pyenv all that it has. `make test-all TESTS=tests/unit`
# tries a part; one that is not here is named and skipped, none at all is a failure.
test-all: .venv/tries  ## the test suite on every supported Python that is here
	PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd: -)" \
		$(BIN)/tox run -- $(TESTS)

check: .venv/develops  ## style, types, layers, size limits, documents
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/architecture tests/typed_programs

.venv/draws: .venv/develops
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

bench: .venv/draws $(CONFIGCAT_603)  ## speed, paired with the official provider
	$(BIN)/python -m tests.benchmarks

.venv/writes: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

docs: .venv/writes  ## the pages of docs/ as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis bench site
