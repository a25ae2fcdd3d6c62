# What a newcomer types. Each target sets up what it needs first (infra/bootstrap.sh), once.
#
#   make run                  the whole path on the examples; make run ARGS='--keep'
#   make test                 every check: lint, types, all tests
#   make quick                the tests that need no server
#   make bench NAME=clean     one benchmark
#   make setup                only set up
#   make engines              set up Spark, and Flink in an environment of its own
#   make clean                as freshly cloned: stops the stack, deletes data, environments and caches

PYTHON_BIN := .venv/bin/python
ARGS ?=
NAME ?=

.PHONY: help run test quick bench setup engines clean

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@sh infra/bootstrap.sh dev

engines:
	@sh infra/bootstrap.sh engines

run:
	@sh infra/bootstrap.sh run
	@$(PYTHON_BIN) -m infra.main run $(ARGS)

# All checks are run and told, whichever fails; pytest comes last, so that its closing line is the last.
test: setup
	@status=0; \
	$(PYTHON_BIN) -m ruff check . || status=1; \
	$(PYTHON_BIN) -m ruff format --check . || status=1; \
	$(PYTHON_BIN) -m mypy || status=1; \
	HYPOTHESIS_PROFILE=same $(PYTHON_BIN) -m pytest $(ARGS) || status=$$?; \
	exit $$status

quick: setup
	@$(PYTHON_BIN) -m pytest -m "not servers and not slow" $(ARGS)

bench:
	@sh infra/bootstrap.sh dev
	@$(PYTHON_BIN) -m infra.main bench $(NAME) $(ARGS)

clean:
	@if [ -x $(PYTHON_BIN) ] && [ -d .headwater ]; then $(PYTHON_BIN) -m infra.main --home .headwater down; fi
	@rm -rf .headwater .venv .venv-flink .venv-tools .venv-lock .venv-syncing .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
