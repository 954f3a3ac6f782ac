# Two commands for everybody: `make demo` runs the main job, `make test` runs every check.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test coverage mutation bench crash docs audit clean

demo: .venv/.installed
	$(BIN)/shopbot demo

test: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal

bench: .venv/.installed
	$(BIN)/python benchmarks/ingest.py

coverage: .venv/.installed-test
	$(BIN)/coverage erase
	@# A test that fails is no reason to show no table; it fails in the end all the same.
	$(BIN)/coverage run -m pytest -n auto --dist worksteal -o timeout=600; status=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/python -m quality.coverage_by_package && exit $$status

# Hours for everything; `make mutation MODULES='shopbot.rules.rule shopbot_plugins.*'` takes minutes.
mutation: .venv/.installed-test
	$(BIN)/python -m quality.mutation $(MODULES)

# Some half an hour; the table goes into docs/reliability.md.
crash: .venv/.installed-test
	$(BIN)/python -m benchmarks.crash_matrix --kills 1000 --shops 2 --seed 26

docs: .venv/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# What is installed, test tools included, against the database of known vulnerabilities. Fails where that is out of reach.
audit: .venv/.installed-test .venv-audit/.installed
	$(BIN)/pip freeze --exclude-editable > .venv-audit/requirements.txt
	.venv-audit/bin/pip-audit --strict --disable-pip --no-deps --requirement .venv-audit/requirements.txt

.venv-audit/.installed:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet 'pip-audit>=2.9,<3'
	touch $@

.venv/.created:
	$(PYTHON) -m venv .venv
	touch $@

.venv/.installed: .venv/.created pyproject.toml
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/.installed-test: .venv/.created pyproject.toml
	$(BIN)/pip install --quiet -e '.[test]'
	touch .venv/.installed $@

clean:
	rm -rf site .venv .venv-audit .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .mutation .coverage
