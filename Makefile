# The project's commands; `make help` lists them. Each needs Python and make, and nothing else that is not said beside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := shared/requirements.txt $(wildcard services/*/requirements.txt) deploy/requirements.txt deploy/embedded/requirements.txt tests/requirements.txt
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-kafka test-compose chaos lint contracts bench constraints

help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/ready ## the environment in .venv, from exact versions
	@$(BIN)/python -m compileall -q services shared deploy tests  # Python may have been told not to keep what it compiles

$(VENV)/ready: constraints.txt pyproject.toml
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r constraints.txt && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: setup ## the whole story on real parts, live; ARGS=--once ends by itself
	@$(BIN)/convoca demo $(ARGS)

test: setup ## every suite that needs no container engine, on PostgreSQL and a Kafka-protocol broker from wheels
	$(BIN)/pytest $(ARGS)

test-kafka: setup ## transport, journeys, chaos and access on Apache Kafka and PostgreSQL in containers (needs an engine)
	$(BIN)/pytest --parts=containers tests/access tests/transport tests/chaos tests/system $(ARGS)

test-compose: setup ## the deployment by docker-compose.yml and each overlay: built, used, upgraded, killed (needs an engine)
	$(BIN)/pytest tests/compose tests/overlays $(ARGS)

chaos: setup ## a storm of faults and its account; SEED=7 or 1..20, SEEDS=20, SECONDS=15, PARTS=embedded or containers
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PARTS),--parts $(PARTS)) $(ARGS)

lint: setup ## style, types, floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy services shared deploy tests
	$(BIN)/lint-imports

contracts: setup ## write the events' schemas anew; refuses what would break who reads or sends them
	$(BIN)/python -m tests.contracts

bench: setup ## speed, each figure beside its limit measured in the same run; writes build/bench.json
	$(BIN)/python -m tests.bench $(ARGS)

constraints: ## write constraints.txt anew for what the requirements say now (needs uv); ARGS=--upgrade takes newer versions
	@mkdir -p build
	@cp constraints.txt build/pinned.txt
	@{ cat $(REQUIREMENTS); echo setuptools; } | uv pip compile --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --output-file build/pinned.txt $(ARGS) - > /dev/null
	@{ echo '# Every package of a development environment, exact and with hashes; `make constraints` writes it anew.'; \
	  grep -v '^#' build/pinned.txt; } > constraints.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --constraint constraints.txt --output-file deploy/images/constraints.txt $(ARGS) deploy/images/requirements.txt > /dev/null
	@sed -i '1i # What deploy/images/requirements.txt brings, exact and with hashes; `make constraints` writes it anew.' \
	    deploy/images/constraints.txt
