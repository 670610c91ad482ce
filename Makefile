# mesodecode: `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help env docs audit demo benchmark-suite benchmark-suite2 test test-e2e test-gpu test-slurm lint lock clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

env: $(READY) ## make the environment in .venv from envs/requirements.txt

$(READY): envs/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make env: needs Python >= 3.11, found $$($(PYTHON) --version); name one with 'make PYTHON=python3.11 env'" >&2; exit 1; }
	@echo 'make env: 2 GB of packages into .venv (7 GB with CUDA): two minutes, or longer by the network' >&2
	@# uv where it is there: linked from its cache, in seconds
	if command -v uv > /dev/null; then \
		uv venv --quiet --clear --seed --python '$(PYTHON)' .venv && \
		uv pip install --quiet --python $(BIN)/python -r envs/requirements.txt && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		$(PYTHON) -m venv --clear .venv && \
		$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements.txt && \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

# An environment of its own: nothing of the site is needed to run a study.
docs: .venv-docs/.ready ## build the documentation site into site/, with a reference of all keys and verbs
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

.venv-docs/.ready: envs/docs.txt
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -r envs/docs.txt
	@touch $@

# What a database says on the day is of no commit, so that nothing fails by it.
AUDIT = .venv-audit/bin/pip-audit
audit: ## list known vulnerabilities of the locked packages (a report: never fails; needs the network)
	@if ! { test -x $(AUDIT) || { $(PYTHON) -m venv --clear .venv-audit && \
		.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }; }; then \
		echo 'make audit: no report: pip-audit could not be installed (no network?)'; \
	elif ! $(AUDIT) --requirement envs/requirements.txt --no-deps --disable-pip --progress-spinner off; then \
		echo 'make audit: see above: vulnerabilities, or a database that was not reached (no network?)'; \
	fi

demo: $(READY) ## run the whole workflow on the simulated cohort and print the AUC table
	$(BIN)/mesodecode warm --progress $(BIN)/snakemake --cores $(CORES) --configfile demo.yaml
	@$(BIN)/mesodecode summary --auc results/demo/tables/auc.tsv --report results/demo/report.html

# One start of Python for the jobs of all cohorts. Larger, and elsewhere:
#   make benchmark-suite SIZE=full RUN='--profile slurm'
SIZE := small
RUN = --cores $(CORES)
COHORTS := clean shifted artefacts movement hemodynamics label_noise no_signal
SUITE = suite1$(if $(filter full,$(SIZE)),full)
benchmark-suite: $(READY) ## run the ground-truth benchmark (docs/benchmark-suite.md)
	OMP_NUM_THREADS=1 $(BIN)/mesodecode warm bash -ec 'for cohort in $(COHORTS); do \
		$(BIN)/snakemake $(RUN) benchmark --config study=$(SUITE)_$$cohort \
		--configfile $(addprefix benchmarks/suite/,suite.yaml $(filter full.yaml,$(SIZE).yaml) $$cohort.yaml); done'
	$(BIN)/mesodecode suite --studies $(COHORTS:%=results/$(SUITE)_%) \
		--out results/$(SUITE)/suite.tsv --figure results/$(SUITE)/suite

# What cohorts of suite 2 share stands in the file of their first word: failures.yaml of failures_gone.
COHORTS2 := failures_gone failures_kept failures_slow ceilings_own ceilings_alike ceilings_drift \
	first_turned first_alike labs_unlike labs_alike
benchmark-suite2: $(READY) ## run the ground-truth benchmark's suite 2
	OMP_NUM_THREADS=1 $(BIN)/mesodecode warm bash -ec 'for cohort in $(COHORTS2); do \
		$(BIN)/snakemake $(RUN) benchmark --configfile benchmarks/suite2/$${cohort%%_*}.yaml \
		benchmarks/suite2/$$cohort.yaml; done'
	$(BIN)/mesodecode suite --studies $(COHORTS2:%=results/suite2_%) \
		--out results/suite2/suite.tsv --figure results/suite2/suite

# One thread each, or processes wait for each other; and bytecode is kept, or each of hundreds would
# compile the package again. The files of tests side by side, in their order; those that wait (for a
# clock, a lock, a server) leave a core to one process more than there are.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PARALLEL = $(PYTEST) --maxprocesses 8 --no-loadscope-reorder
test: $(READY) ## run the fast tests (about 5 minutes on two cores)
	$(PARALLEL) -n $$(($(CORES) + 1)) --dist loadfile -m 'not slurm and not gpu and not e2e and not alone'
	@files=$$(grep -rl --include='test_*.py' 'mark[.]alone' tests); \
		test -z "$$files" || $(BIN)/python -m pytest -m alone $$files

test-e2e: $(READY) ## run whole studies: the demo, real mice, no signal, the suite, encoding
	$(PARALLEL) -n $(CORES) --dist load -m e2e

test-gpu: $(READY) ## run every verb with --device on a GPU, against the CPU (skipped where there is none)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m gpu tests/gpu --durations=0

test-slurm: $(READY) ## start a SLURM on this machine (Debian, as root) and test the workflow on it
	$(PYTEST) -m slurm tests/slurm --durations=0

lint: $(READY) ## check style and the Snakefile
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/snakefmt --check Snakefile workflow/rules
	PYTHONPATH=workflow $(BIN)/lint-imports --no-cache
	$(BIN)/snakemake --lint && $(BIN)/snakemake --lint --configfile examples/encoding-demo.yaml

define frozen
	@dir=$$(mktemp -d) && trap 'rm -rf '$$dir EXIT && $(PYTHON) -m venv $$dir && \
		$$dir/bin/pip install --quiet -r $(1) && { echo "$(3)"; \
		$$dir/bin/pip freeze $(4) | grep -vE '^(pip==|nvidia-|cuda-|triton)' | sed -E 's/\+(cpu|cu[0-9]+)$$//'; \
		} > $(2)
endef

lock: ## resolve envs/*.in into requirements.txt, docs.txt and the conda environment
	$(call frozen,envs/docs.in,envs/docs.txt,# Made by 'make lock' from docs.in.)
	$(call frozen,envs/requirements.in,envs/requirements.txt,# Made by 'make lock' from requirements.in. torch: pip takes the CPU or the CUDA build that its index offers.,--all)
	@$(MAKE) --no-print-directory envs/mesodecode.yaml

envs/mesodecode.yaml: envs/requirements.txt
	@{ echo "# Made by 'make lock' from requirements.txt: the same versions, for snakemake --sdm conda."; \
		printf '%s\n' 'name: mesodecode' 'channels:' '  - conda-forge' 'dependencies:' \
			'  - python=3.11' '  - pip' '  - pip:'; \
		grep -v '^#' envs/requirements.txt | sed 's/^/      - /'; } > $@

clean: ## remove the demo's results (the environment stays)
	rm -rf results/demo
