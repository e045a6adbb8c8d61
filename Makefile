# make demo   the study in miniature, on phantoms; about seven minutes on two cores
# make test   every check except those below, with a tiny study that uses every rule of the demo
# make lint   the first of them: ruff, snakefmt, snakemake --lint
# make test-demo   the demo, and whether its numbers mean something
# All make their own environment in .venv first.
# make slurm-demo   the same study through a SLURM cluster of this one machine; needs root and slurm-wlm, munge
# make test-slurm   a study on the same cluster, and what can go wrong there
# make bench   how fast it is: ratios of two things in one run, as a table; about ten minutes on idle cores
# make pages   docs/configuration.md and docs/rules.md, written from the schema and the rules, and docs/measurements/gpu.md
#                  from the files of the devices that were measured
# make calibrate   how often every test and verdict errs in simulated studies: docs/measurements/error_rates.md; half an
#                  hour of one core, continues where it was stopped
# make rebuild   tables, tests and figures of a study from what is committed of it, without images (docs/measurements/data):
#                  STUDY=ham10000 TARGETS="table1 gap"
# make gpu-check   the CUDA path on the GPU of this machine: docs/measurements/gpu.md; planned for eight minutes of an
#                  H100, continues where it was stopped. PARTS="train step" measures these again; DEVICE=cpu TINY=1 tries the commands
# make test-parity   the checks against MedVAE's own package, which `make test` skips; installs it into .venv-parity

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PYTHONPATH := $(CURDIR)/workflow/src
# Jobs and the snakemake they start are found whatever the shell has activated.
export PATH := $(BIN):$(PATH)

.PHONY: demo slurm-demo lint test test-demo test-slurm test-parity bench \
	pages calibrate rebuild gpu-check environment lock clean-demo

environment: $(VENV)/installed

# The environment is whole or it is made anew: the mark is written last.
$(VENV)/installed: envs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; give it as make PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(VENV)/installed
	@$(BIN)/python -m learnability.workflow.launch $(BIN)/python -m learnability.workflow.warm_snakemake \
		--profile profiles/local --configfile workflow/studies/demo.yaml
	@$(BIN)/learnability show results/demo

# The cluster is stopped however the study ends. Its two GPUs are made up, and let two jobs at a time run that ask for one.
slurm-demo: $(VENV)/installed
	@SLURM_CPUS=64 SLURM_MEM_MB=256000 tests/slurm/one-node-slurm.sh start
	@trap 'tests/slurm/one-node-slurm.sh stop' EXIT; trap 'exit 130' INT TERM; eval "$$(tests/slurm/one-node-slurm.sh env)"; \
	LEARNABILITY_DEVICE=cpu $(BIN)/snakemake --profile slurm --configfile workflow/studies/demo.yaml --config results=results/slurm_demo \
		--slurm-init-seconds-before-status-checks 1 --latency-wait 5

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slurm_faults" --ignore tests/demo -r s

test-demo: demo
	$(BIN)/python -m pytest tests/demo -r s

test-slurm: $(VENV)/installed
	$(BIN)/python -m pytest tests/slurm -m slurm_faults -r s

bench: $(VENV)/installed
	@$(BIN)/python benchmarks/bench.py

pages: $(VENV)/installed
	$(BIN)/python -m docs.pages.configuration > docs/configuration.md
	$(BIN)/python -m docs.pages.rules > docs/rules.md
	$(BIN)/python -m benchmarks.gpu --write

# From the repository's root, where the package `benchmarks` lies.
calibrate: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.calibration

STUDY ?= ham10000
TARGETS ?= table1 gap
rebuild: $(VENV)/installed
	$(BIN)/python -m docs.measurements.parts rebuild $(STUDY) $(TARGETS)

DEVICE ?= cuda
gpu-check: $(VENV)/installed
	$(BIN)/python -m benchmarks.gpu --device $(DEVICE) $(if $(TINY),--tiny) $(PARTS)

test-parity: .venv-parity/installed
	PYTHONPATH=$(PYTHONPATH):$(CURDIR)/.venv-parity $(BIN)/python -m pytest tests/parity

# A folder beside the environment, not in it: the study itself never needs the package.
.venv-parity/installed: envs/parity.txt $(VENV)/installed
	rm -rf .venv-parity
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv-parity -r envs/parity.txt
	touch $@

# Exact versions, with hashes, of what envs/requirements.in names: uv.lock for every system and Python, and from it
# envs/requirements.txt. What is locked stays where it can; `make lock UPGRADE=--upgrade` takes the newest of everything.
lock: $(VENV)/installed
	$(BIN)/uv lock $(UPGRADE)
	$(BIN)/uv export --quiet --frozen --no-emit-project --no-annotate --no-header --output-file envs/requirements.txt

clean-demo:
	rm -rf results/demo
