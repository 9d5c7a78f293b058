# Everything runs in .venv, which `make install` builds from hashed files. Needs Python 3.11 or newer, and make.
PYTHON  ?= python3
APP     ?= soundgraph
SERVE   ?=
SEED    ?=
N       ?=
ARGS    ?=

# Of tests. Three for two processors: now and then one of them waits for a lock or a clock.
WORKERS ?= 3

# Tests make thousands of databases and drop them again: in memory, where there is room and programs may run from it.
MEMORY = $(shell test -w /dev/shm && awk '/MemAvailable/ { exit $$2 < 8000000 }' /proc/meminfo \
	&& test "$$(df --output=avail /dev/shm | tail -n 1)" -gt 6000000 && ! grep -q '/dev/shm .*noexec' /proc/mounts \
	&& echo /dev/shm)

# Tests start hundreds of programs: what one of them compiled of the sources serves the others, also where the environment says
# that nothing may be kept.
unexport PYTHONDONTWRITEBYTECODE

VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: help install demo test browser lint bench simulate race kills constraints clean
.DELETE_ON_ERROR:

help:
	@echo "make demo               run the soundgraph example; APP=meshscope runs the other one, SERVE=1 shows it in a browser"
	@echo "make test               lint, types, import contracts, house rules and all tests"
	@echo "make browser            the dashboard and the banner in a real browser; needs Chromium"
	@echo "make lint               the same without the tests"
	@echo "make bench              ratios against the bare table and hand-written triggers; ARGS=... is passed on"
	@echo "make simulate SEED= N=  random programs from a seed"
	@echo "make race ARGS=...      the same programs without a schedule: writers and workers at once, each as fast as it can"
	@echo "make kills N=           runners of backfills killed at random instants on each engine, while an application writes"
	@echo "make install            only build .venv"
	@echo "make constraints        resolve the hashed constraints file again (needs uv)"

install: $(STAMP)

$(STAMP): pyproject.toml constraints/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Tidemark needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) \
		|| { echo "python -m venv failed; on Debian install the package python3-venv" >&2; exit 1; }
	$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r constraints/dev.txt
	$(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	$(PY) -m examples.$(APP).demo $(if $(SERVE),--serve) $(ARGS)

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict src bench examples
	$(VENV)/bin/lint-imports --no-logo

# While types are checked, the other processor reads the tests: what pytest makes of them is kept, and serves each of its workers.
test: $(STAMP)
	@$(PY) -m pytest --collect-only -qq tests >/dev/null 2>&1 & $(MAKE) --no-print-directory lint; end=$$?; wait; exit $$end
	$(if $(MEMORY),TMPDIR=$(MEMORY) )$(PY) -m pytest -n $(WORKERS) --dist worksteal tests $(ARGS)

browser: $(STAMP)
	$(PY) -m pytest -o 'python_files=browser_*.py' tests/page $(ARGS)

bench: $(STAMP)
	$(PY) -m bench $(ARGS)

simulate: $(STAMP)
	$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(N),-n $(N)) $(ARGS)

race: $(STAMP)
	$(PY) -m tests.simulation.race $(if $(SEED),--seed $(SEED)) $(ARGS)

kills: $(STAMP)
	$(PY) -m tests.backfill.kills $(if $(N),-n $(N)) $(ARGS)

constraints:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-package tidemark --custom-compile-command "make constraints" --upgrade --quiet \
		--output-file constraints/dev.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
