# Needs Python 3.11 or newer and make; each target does its own set-up in .venv.
# `make` alone lists the targets. Another Python: make PYTHON=/path/to/python3.12 test

.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
LOCKS := requirements/build.txt requirements/dev.txt
FROM_LOCKS := $(addprefix -r ,$(LOCKS))
# Newer than the locks and pyproject.toml: the environment is what they say.
READY := $(VENV)/.ready

PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3)

.PHONY: help demo test check bench chaos mutants test-system test-containers test-nfs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## app, sidecar and a local CloudWatch with traffic, until Ctrl-C; SECONDS=20 ends by itself, KEEP=1 keeps the files
	@KEEP='$(KEEP)' $(PY) -m tests.demo $(if $(SECONDS),--seconds $(SECONDS))

test: $(READY) ## every test that needs nothing but this machine; ARGS='-k name' for some
	$(PY) -m pytest -q -n auto --dist worksteal --ignore=tests/containers --ignore=tests/nfs --ignore=tests/chaos --ignore=tests/system $(ARGS)

check: $(READY) ## format, lint, types, import rules
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-cache

bench: $(READY) ## what a core can do: assembling lines, encoding batches
	@for file in tests/benchmarks/[a-z]*.py; do \
	  name=$$(basename $$file .py); echo "== $$name"; $(PY) -m tests.benchmarks.$$name || exit 1; \
	done

chaos: $(READY) ## nothing lost or doubled? a soak for MINUTES=1; or KILLS=200 MEGABYTES=200, PROGRAMS=1000, TASKS=10, OUTAGE=5; SEED=1 repeats
	$(PY) -m tests.chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(KILLS),--kills $(KILLS)) $(if $(MEGABYTES),--megabytes $(MEGABYTES)) \
	  $(if $(PROGRAMS),--programs $(PROGRAMS)) $(if $(TASKS),--tasks $(TASKS)) $(if $(OUTAGE),--outage $(OUTAGE)) $(if $(SEED),--seed $(SEED))

mutants: $(READY) ## one-line changes to the product, each of which a test must catch; COUNT=10 takes ten at random
	$(PY) -m tests.mutants $(if $(COUNT),--count $(COUNT))

test-system: $(READY) ## what needs a Debian package: logrotate, installed where there is none (as root)
	@command -v logrotate >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends logrotate; } >/dev/null
	$(PY) -m pytest -q -n 4 tests/system $(ARGS)

test-containers: $(READY) ## the compose stack on a Docker engine (Debian, as root: installed where there is none)
	$(PY) -m pytest -q tests/containers $(ARGS)

test-nfs: $(READY) ## an NFS server and two hosts in a small guest (Debian on amd64, as root: made on the first run)
	@PIP=$(VENV)/bin/pip tests/nfs/guest.sh $(ARGS)

lock: $(READY) ## resolve requirements/*.txt anew from pyproject.toml, keeping what still fits; UPGRADE=1 takes the newest
	$(PIP) --require-hashes -r requirements/uv.txt
	UV='$(VENV)/bin/uv' UPGRADE='$(UPGRADE)' $(PY) requirements/lock.py

clean: ## remove the environment and everything that was made
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find app sidecar tests task-definitions requirements -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): $(LOCKS) pyproject.toml
	@old=; bare=; python=; \
	for each in $(PYTHONS); do \
	  $$each -c '' 2>/dev/null || continue; \
	  $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { old=$$each; continue; }; \
	  $$each -c 'import venv, ensurepip' 2>/dev/null || { bare=$$each; continue; }; \
	  python=$$each; break; \
	done; \
	if [ -z "$$python" ] && [ -n "$$bare" ]; then \
	  version=$$($$bare -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "make: $$bare has no venv module: apt-get install python$$version-venv (Debian, Ubuntu), or install Python from python.org" >&2; exit 1; \
	elif [ -z "$$python" ]; then \
	  echo "make: no Python 3.11 or newer found$${old:+ ($$old is older)}: install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  echo "make: setting up $(VENV) with $$($$python --version), a minute or two the first time"; \
	  $$python -m venv --clear $(VENV) || exit 1; \
	fi
	@$(PIP) --require-hashes -r requirements/uv.txt && VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --require-hashes $(FROM_LOCKS) \
	  || { echo "make: uv cannot install them here; pip does, more slowly"; $(PIP) --require-hashes $(FROM_LOCKS); }
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
