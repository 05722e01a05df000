PYTHON ?= python3
VENV ?= .venv
# Small networks on few cores: a thread a process is the fastest.
export OMP_NUM_THREADS ?= 1
# Processes that share the test files; by default one a core, at most eight.
WORKERS ?= logical
# Tests to run, with further arguments of pytest.
TESTS ?= tests
PYTEST = -m pytest -q -n $(WORKERS) --maxprocesses 8 --dist loadfile $(TESTS)
MMCV_WHEEL ?=
BIN := $(VENV)/bin
FULL := .venv-full-mmcv
CONSTRAINTS := .ci/constraints.txt
PACKAGING := setup.py requirements.txt pyproject.toml $(CONSTRAINTS)
comma := ,
# What the tests need besides OpenMMLab's packages: with less they skip.
EXTRAS := dev$(comma)docs$(comma)onnx$(comma)coco$(comma)backends

# OpenCV's plain build, which mmcv asks for, needs the libraries of a desktop.
# The headless build holds the same files and takes its place.
OPENCV := $(shell grep '^opencv-python-headless' $(CONSTRAINTS))

# What every environment of the project gets, before mmcv and the package.
define prepare
$(PYTHON) -m venv --clear $(1)
$(1)/bin/python -m pip install -q -c $(CONSTRAINTS) setuptools
endef

define install
$(1)/bin/python -m pip install -q -c $(CONSTRAINTS) --no-build-isolation \
	-e '.[$(2)]'
$(1)/bin/python -m pip install -q --no-deps --force-reinstall $(OPENCV)
touch $(1)/.stamp
endef

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{ printf "%-16s %s\n", $$1, $$2 }'

.PHONY: env
env: $(VENV)/.stamp ## Make the environment in .venv, or bring it up to date

$(VENV)/.stamp: $(PACKAGING)
	$(call prepare,$(VENV))
	$(call install,$(VENV),openmmlab$(comma)$(EXTRAS))

.PHONY: lint
lint: env ## Check style, format, spelling and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell $$(git ls-files)
	$(BIN)/mypy rml_mmseg

.PHONY: test
test: lint ## Check everything: lint, types, then all tests
	$(BIN)/python $(PYTEST)

.PHONY: demo
demo: env ## Train the smallest example and draw what it learned
	$(BIN)/python tools/demo.py

.PHONY: bench
bench: env ## Measure what the method costs besides its networks
	$(BIN)/python tools/benchmarks/run_all.py

.PHONY: docs
docs: env ## Build the pages of the documentation in build/docs
	$(BIN)/python -m sphinx -q -W --keep-going -d build/docs-trees \
		docs build/docs

.PHONY: matrix
matrix: ## Run the tests with several sets of packages (MMCV_WHEEL=path)
	.ci/matrix.sh

.PHONY: test-full-mmcv
test-full-mmcv: ## Run the tests with the mmcv of MMCV_WHEEL=path
	@test -f '$(MMCV_WHEEL)' || { \
		echo 'MMCV_WHEEL: expected the path of a wheel of mmcv, found' \
			'"$(MMCV_WHEEL)"' >&2; exit 2; }
	@$(MAKE) --no-print-directory $(FULL)/.stamp
	$(FULL)/bin/python $(PYTEST)

# mmpretrain and mmsegmentation do not ask for mmcv themselves, so the full one
# stands in for the mmcv-lite of the extra `openmmlab`.
$(FULL)/.stamp: $(PACKAGING) $(MMCV_WHEEL)
	$(call prepare,$(FULL))
	$(FULL)/bin/python -m pip install -q -c $(CONSTRAINTS) '$(MMCV_WHEEL)' \
		mmengine mmpretrain mmsegmentation
	$(call install,$(FULL),dev)
