# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
CONFIG ?= configs/config.toml
# How many tests run at once: one more than there are cores (tests/conftest.py).
JOBS   ?= auto

# Tests start hundreds of processes. Where bytecode is not kept, each of them compiles the project again.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/base.stamp: requirements/base.txt requirements/replay.txt requirements/postgres.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/base.txt -r requirements/replay.txt -r requirements/postgres.txt
	touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/base.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

# An environment of its own: LiteLLM is large, and pins packages that a node has in other versions. uv installs it in a
# twentieth of pip's time; pip does it where only pip knows the index.
$(VENV)-litellm/litellm.stamp: requirements/litellm.txt | $(VENV)/dev.stamp
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-litellm
	$(BIN)/uv pip install --quiet --python $(VENV)-litellm/bin/python -r requirements/litellm.txt \
	    || $(BIN)/pip --python $(VENV)-litellm/bin/python install --quiet --disable-pip-version-check -r requirements/litellm.txt
	touch $@

.PHONY: run-local
run-local: $(VENV)/base.stamp ## one node from configs/config.toml: API on 8080, profiling on 8081; a first admin
	$(BIN)/python manage.py ensure_admin -c $(CONFIG)
	POD_IP=127.0.0.1 exec $(BIN)/python manage.py run -c $(CONFIG)

.PHONY: run-cluster
run-cluster: $(VENV)/base.stamp ## three nodes that find each other by DNS: 127.0.0.1 to 127.0.0.3, ports as run-local
	exec $(BIN)/python manage.py run_cluster -c $(CONFIG)

.PHONY: run-log
run-log: $(VENV)/dev.stamp ## a Valkey and three nodes on its log: 127.0.0.1 to 127.0.0.3, ports as run-local
	exec $(BIN)/python manage.py run_log -c $(CONFIG)

.PHONY: run-top
run-top: $(VENV)/dev.stamp ## the load in the terminal, of the node that run-local starts, or of NODES=
	PYTHONPATH=clients/python/src exec $(BIN)/python manage.py top $(NODES)

.PHONY: run-litellm
run-litellm: $(VENV)/dev.stamp $(VENV)-litellm/litellm.stamp ## LiteLLM's proxy, three make-believe engines, a node, and `top` beside them
	exec $(BIN)/python examples/litellm/run.py --python $(BIN)/python --litellm $(VENV)-litellm/bin/litellm

.PHONY: unit-test
unit-test: $(VENV)/dev.stamp ## every test but the slow ones, with coverage
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" --cov --cov-report=term $(PYTEST_ARGS)

.PHONY: slow-test
slow-test: export LITELLM_PYTHON = $(abspath $(VENV)-litellm/bin/python)
slow-test: $(VENV)/dev.stamp $(VENV)-litellm/litellm.stamp ## the tests that take minutes: soaks, long simulations, laws tried often
	$(BIN)/python -m pytest -m slow -s tests/attacks $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n $(JOBS) -m slow --ignore tests/attacks --timeout 600 $(PYTEST_ARGS)
	EXAMPLES=8 $(BIN)/python -m pytest -n $(JOBS) tests/property --timeout 600 $(PYTEST_ARGS)

.PHONY: litellm-test
litellm-test: export LITELLM_PYTHON = $(abspath $(VENV)-litellm/bin/python)
litellm-test: $(VENV)/dev.stamp $(VENV)-litellm/litellm.stamp ## the tests with the real LiteLLM, its router and its proxy
	$(BIN)/python -m pytest -n 0 tests/integration/test_litellm.py tests/integration/test_litellm_example.py --timeout 1200 $(PYTEST_ARGS)

.PHONY: look-test
look-test: $(VENV)/dev.stamp ## every page in a browser: full and empty, light and dark, wide and narrow (half an hour)
	EVERY_LOOK=1 $(BIN)/python -m pytest -n $(JOBS) -m slow --timeout 600 tests/browser/test_every_page.py $(PYTEST_ARGS)

.PHONY: schema
schema: $(VENV)/dev.stamp ## docs/openapi.yaml, from the handlers
	$(BIN)/python manage.py openapi docs/openapi.yaml

.PHONY: bench
bench: $(VENV)/dev.stamp ## CPU per request beside the floor server; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

.PHONY: bench-scheduling
bench-scheduling: $(VENV)/dev.stamp ## simulate engines, gateways and pick policies; writes the tables of benchmarks/SCHEDULING.md
	nice -n 19 $(BIN)/python -m benchmarks.scheduling $(SCHEDULING_ARGS)

.PHONY: bench-peers
bench-peers: $(VENV)/dev.stamp .venv-peers/stamp ## CPU and counts beside NVIDIA Dynamo's services; writes benchmarks/PEERS.md
	$(BIN)/python -m benchmarks.peers $(PEERS_ARGS)

.venv-peers/stamp: requirements/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check -r requirements/peers.txt
	touch $@

.PHONY: screenshots
screenshots: $(VENV)/dev.stamp ## the pictures in docs/images, of three real nodes under load (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

.PHONY: lint
lint: $(VENV)/dev.stamp ## ruff, mypy strict, the walls between the apps, Django's own checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: format
format: $(VENV)/dev.stamp ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lint-license
lint-license: $(VENV)/dev.stamp ## every file says its licence (reuse)
	$(BIN)/reuse lint --lines

.PHONY: audit-dependencies
audit-dependencies: $(VENV)/dev.stamp ## known vulnerabilities of the pinned packages; says so where no source is reachable
	$(BIN)/python -m tests.dependency_audit

.PHONY: fix-license
fix-license: $(VENV)/dev.stamp ## add the licence header where it is missing
	$(BIN)/reuse annotate --license Apache-2.0 --copyright "Metadata Center contributors" --year 2026 \
	    --skip-existing --skip-unrecognised --recursive $(or $(FILES),manage.py metadata_center runtime edge loadstats kvcache replication discovery console clients tests benchmarks)

.PHONY: build
build: $(VENV)/dev.stamp ## wheel and sdist in dist/
	$(BIN)/python -m build

.PHONY: requirements
requirements: $(VENV)/dev.stamp ## compile requirements/*.in to pinned *.txt
	set -e; for name in base replay postgres peers dev litellm; do $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	    --no-header --no-emit-index-url --no-emit-find-links $$(case $$name in (replay|postgres) echo -c requirements/base.txt;; esac) \
	    requirements/$$name.in -o requirements/$$name.txt; done

.PHONY: clean
clean: ## remove what the other targets made, but not var/
	rm -rf $(VENV) $(VENV)-litellm .venv-peers build dist *.egg-info .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis
