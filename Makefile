# Each target sets itself up: a virtual environment of its own, then the job.
#   make demo    from principles to trained models and a report, in small, with the embedded model
#   make test    all tests
#   make test-browser  the review page in a real browser (Chromium)
#   make test-vllm  tests with the real vLLM on a CPU, in .venv-vllm
#   make gpu-check  from a constitution to three policies on a GPU; skips where there is none
#   make check   formatter, linter, types, imports
#   make bench   measure speed, faults, kills and memory against a stub server; takes a quiet machine
#   make docs    the docs as a site, in build/docs
#   make docs-check  carry out the commands that the docs show; DOC=docs/cost.md for one document
#   make format  let the formatter and the linter mend what they can
#   make clean   remove the environments and caches that these make
PYTHON ?= python3
PIP_FLAGS ?= --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser test-vllm gpu-check check bench docs docs-check format clean

help:
	@sed -n 's/^#   //p' $(MAKEFILE_LIST)

# The stamp is renewed when the dependencies change; a second start installs nothing.
.venv-demo/stamp: EXTRAS = train
.venv-docs/stamp: EXTRAS = docs
.venv-test/stamp: EXTRAS = local,train,review,ray,dev
.venv-%/stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, got " + sys.version.split()[0] + ". Name one: make PYTHON=python3.12 …")'
	@echo "Installing into .venv-$* (once, a few minutes) …"
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install $(PIP_FLAGS) --editable '.[$(EXTRAS)]'
	@touch $@

demo: .venv-demo/stamp
	.venv-demo/bin/cai demo

test: .venv-test/stamp
	PYTHON=$(abspath .venv-test/bin/python) tests/run

test-browser: .venv-test/stamp
	PYTHON=$(abspath .venv-test/bin/python) tests/browser/run

test-vllm:
	PYTHON=$(PYTHON) PIP_FLAGS="$(PIP_FLAGS)" tests/vllm/run

gpu-check: .venv-test/stamp
	PYTHON=$(abspath .venv-test/bin/python) tests/gpu

check: .venv-test/stamp
	.venv-test/bin/ruff format --check .
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy
	.venv-test/bin/lint-imports

bench: .venv-test/stamp
	.venv-test/bin/python benchmarks/loop.py
	.venv-test/bin/python benchmarks/kills.py
	.venv-test/bin/python benchmarks/memory.py
	.venv-test/bin/python benchmarks/compare.py
	.venv-test/bin/python benchmarks/quality.py

docs: .venv-docs/stamp
	.venv-docs/bin/python docs/_site/build.py build/docs

docs-check: .venv-test/stamp
	.venv-test/bin/python -m tests.docs $(DOC)

format: .venv-test/stamp
	.venv-test/bin/ruff format .
	.venv-test/bin/ruff check --fix .

clean:
	rm -rf .venv-demo .venv-docs .venv-test .venv-vllm dist build .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
