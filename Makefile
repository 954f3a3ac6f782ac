# Two commands for everybody: `make demo` runs the main job, `make test` runs every check.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test coverage mutation bench clean

demo: .venv/.installed
	$(BIN)/shopbot demo

test: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

coverage: .venv/.installed-test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto -o timeout=600
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m quality.coverage_by_package

# Hours for everything; `make mutation MODULES='shopbot.rules.rule shopbot_plugins.*'` takes minutes.
mutation: .venv/.installed-test
	$(BIN)/python -m quality.mutation $(MODULES)

bench: .venv/.installed
	$(BIN)/python benchmarks/ingest.py

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
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .mutation .coverage
