# Every target makes .venv first if it is missing or older than what it is made from. `make help` lists them.
# PIP_ARGS are options for pip, as in: make bench PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu'
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
TESTABLE := .venv/.installed-dev
DOCUMENTED := .venv/.installed-docs
RELEASABLE := .venv/.installed-release

.DEFAULT_GOAL := help
.PHONY: help bench bench-gpu reproduce reproduce-gpu test test-gpu test-portable coverage lint docs dist perf clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

bench: $(READY) ## train the four objectives on toys and MNIST images; tables and plots in results/quick
	$(BIN)/lipbench run quick

bench-gpu: $(READY) ## download CIFAR-10 and Inception, train the four on a GPU as published; OPTIONS='--data DIR --weights PATH'
	$(BIN)/lipbench run cifar10 --device cuda --download $(OPTIONS)

reproduce: $(READY) ## every study at a small scale, with a verdict on each published claim
	$(BIN)/lipbench study all --scale quick

reproduce-gpu: $(READY) ## the studies on CIFAR-10 on a GPU, with verdicts in results/images; OPTIONS as for bench-gpu
	$(BIN)/lipbench study G1 G2 G3 G4 G5 G6 G7 --scale full --out results/images --device cuda --download $(OPTIONS)

test: $(TESTABLE) ## the tests, without those marked slow, on all cores; OPTIONS for pytest
	$(BIN)/pytest --numprocesses auto $(OPTIONS)

test-gpu: $(READY) ## the tests that need a CUDA GPU, skipped without one; OPTIONS for pytest
	$(BIN)/pytest -m gpu -rs $(OPTIONS)

# MKL and oneDNN multiply matrices in another order on each kind of processor, as ATen adds up.
PLAIN := ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=SSE41
AVX2 := ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=AVX2 ONEDNN_MAX_CPU_ISA=AVX2

test-portable: $(TESTABLE) ## the tests as older processors compute, each with 1 and 2 threads; OPTIONS for pytest
	for processor in "$(PLAIN)" "$(AVX2)"; do for threads in 1 2; do \
		env $$processor LIPBENCH_TEST_THREADS=$$threads $(BIN)/pytest $(OPTIONS) || exit 1; \
	done; done

coverage: $(TESTABLE) ## the tests with the lines that they reach, also in processes that they start; a page in build/coverage
	$(BIN)/coverage erase
	$(BIN)/pytest --numprocesses auto --cov --cov-report=html:build/coverage --cov-report=term $(OPTIONS)

lint: $(TESTABLE) ## ruff, basedpyright, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

docs: $(DOCUMENTED) ## these pages as a site, build/site/index.html; fails at any warning
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(RELEASABLE) ## wheel and sdist in dist/, with their metadata checked
	rm -rf build/lib dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

perf: $(READY) ## what an iteration costs beside a raw PyTorch loop; five minutes
	$(BIN)/python -m lipbench.bench.perf --repeats 15 --budget 200

clean: ## remove build output and caches; results/ stays
	rm -rf build dist *.egg-info .pytest_cache .coverage .coverage.* .ruff_cache .import_linter_cache lightning_logs
	find bench models objectives tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## the same, and the environment
	rm -rf .venv

PIP = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)

# Written last, so that an installation that was interrupted is tried again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "lipbench needs Python 3.11 or newer; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "installing lipbench and what a run needs into .venv (some minutes, once)"
	@$(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@

$(TESTABLE): $(READY)
	@echo "adding what the tests and the linters need (once)"
	@$(PIP) --editable '.[dev]'
	@touch $@

$(DOCUMENTED): $(READY)
	@echo "adding what the site is built with (once)"
	@$(PIP) --editable '.[docs]'
	@touch $@

$(RELEASABLE): $(READY)
	@echo "adding what builds and checks a distribution (once)"
	@$(PIP) --editable '.[release]'
	@touch $@
