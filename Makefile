# make study   set everything up and run the study that params.yaml selects
# make test    set everything up and run the tests
# make faults  kill, cut and damage everything: what docs/faults.md promises
# make cluster   train on Ray, Slurm and for a team, as far as these are installed, and kill them
# make test-rest   of these two what make test leaves out, as CI does
# make ui      browse the runs in MLflow, on this machine only
# make lint    ruff, the type checker, and known vulnerabilities of the pinned packages
# make bench   time studies beside plain Keras and Hydra's launchers: docs/performance.md; QUICK=1
# make coverage   simulate studies: do intervals and tests keep their word? docs/coverage.md
# make sequential   what rules that add seeds cost and save: docs/sequential.md
# make crossvalidation   does the corrected test keep its word? docs/crossvalidation.md
# make simulate   100 000 runs on 1 000 workers, simulated: docs/scaling_simulated.md; QUICK=1, RUNS=20
# make scale   what 100, 1 000 and 10 000 runs cost once they are trained: docs/scaling_runs.md; QUICK=1
# make verify-committed   make all reports anew from their evidence, train three runs again: docs/verify.md
# make docs    write what is generated in docs/: tables of tests, settings, and those of the reports
# make site    make a site of docs/ in build/site/html/, its notebook executed

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
PORT ?= 5000
# Tests wait more than they compute, so three on two cores end sooner; each takes some 3 GB.
TESTS := $(shell awk '/MemAvailable/ {print ($$2 > 14000000) ? 3 : 2}' /proc/meminfo 2>/dev/null || echo 2)
# Seconds, from which on a test is listed.
SLOWEST := --durations=20 --durations-min=30
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Where it is set, each of the hundreds of processes that tests start would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := study
.PHONY: study test test-rest faults cluster coverage sequential crossvalidation bench scale simulate ui lint docs site setup verify-committed

study: $(READY)
	python -m sidebyside.cli.one_at_a_time .dvc/tmp/study.lock dvc repro

test: $(READY)
	pytest -n $(TESTS) --dist loadfile --no-loadscope-reorder $(SLOWEST)

faults: $(READY)
	pytest -n $(TESTS) --dist worksteal -m "faults and not cluster"

cluster: $(READY)
	pytest -n $(TESTS) --dist loadfile -m cluster

# What make test leaves out, but for simulations and what is only run before a release.
test-rest: $(READY)
	pytest -n $(TESTS) --dist loadfile $(SLOWEST) -m "(cluster or (faults and slow)) and not release"

coverage: $(READY)
	python benchmarks/coverage.py

sequential: $(READY)
	python benchmarks/sequential.py

crossvalidation: $(READY)
	python benchmarks/crossvalidation.py

bench: $(READY)
	QUICK=$(QUICK) python benchmarks/performance.py

simulate: $(READY)
	QUICK=$(QUICK) RUNS=$(RUNS) python benchmarks/cluster.py

scale: $(READY)
	QUICK=$(QUICK) python benchmarks/scaling.py

ui: $(READY)
	sidebyside ui --port $(PORT)

lint: $(READY)
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	python .ci/audit.py requirements.lock

verify-committed: $(READY)
	sidebyside verify committed

docs: $(READY)
	python docs/faults.py > docs/faults.md
	python docs/bits.py > docs/bits.md
	python docs/configuration.py > docs/configuration.md
	python docs/flow.py
	python docs/watching.py
	python docs/carry_over.py
	python docs/beyond.py
	python docs/commands.py help
	python docs/embed.py

site: $(READY)
	sphinx-build --quiet --fail-on-warning --keep-going docs build/site/html

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: $(PYTHON) is not Python 3.11 to 3.13: name one, e.g. make study PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
