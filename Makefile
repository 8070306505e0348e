# Every target with one line: make help
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
STUDY ?= sample
# the folders that `make data` writes to
CREMAD ?= data/corpora/cremad
RAVDESS ?= data/corpora/ravdess
CORES ?= all
# A name may hold spaces, quotes, dollar signs and what make or the shell would run: make takes it as it is, and the shell
# reads it from the environment.
NAMES := STUDY CREMAD RAVDESS VIDEO RUN TO DATA ACTORS
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
export $(NAMES)
BIN := .venv/bin
SNAKEMAKE := $(BIN)/python -m lib.run.workflow --cores $(CORES)
MODELS := data/models/face_detector.tflite data/models/face_landmarks_detector.tflite
# no messages of TensorFlow among those of a run
export TF_CPP_MIN_LOG_LEVEL ?= 2
# one progress line every two seconds
export TQDM_MININTERVAL ?= 2
.PHONY: help setup setup-gpu reproduce verify test-portable site reproduce-full data doctor paper paper-full paper-try twin twin-pilot twin-try export predict lab test test-all test-slurm lint bench check-real simulate-rules notebooks clean

help:  ## list the targets
	@grep -hE '^[a-z][a-z -]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q lib  # else every process compiles it anew where PYTHONDONTWRITEBYTECODE is set, as in containers
	@touch $@

$(MODELS) &: .venv/installed
	$(BIN)/python -m lib fetch-models
	@touch $(MODELS)

setup: .venv/installed $(MODELS)  ## install everything into .venv and fetch the two landmark models

setup-gpu: setup  ## TensorFlow with CUDA in place of the processors' build, for NVIDIA cards on x86-64 Linux (installed once, not tried on a GPU)
	$(BIN)/python -m pip uninstall --quiet --yes tensorflow-cpu
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-gpu.lock
	@$(BIN)/python -m lib.run.doctor | grep TensorFlow

reproduce: setup  ## run the whole study on the sample corpora: tables, figures, notebooks (STUDY=... for another)
	@$(BIN)/python -m lib check --study "$$STUDY"
	$(SNAKEMAKE) --config study="$$STUDY"
	@$(BIN)/python -m lib summarise --study "$$STUDY"
	@$(BIN)/python -m lib.run.verify --study "$$STUDY" || true

verify: .venv/installed  ## compare what `make reproduce` made with what is committed, byte by byte
	@$(BIN)/python -m lib.run.verify --study "$$STUDY"

twin twin-pilot twin-try:  ## run the paper's study at its full size on drawn faces: a night on two cores (-try: some minutes)
	@$(MAKE) --no-print-directory reproduce STUDY=$@

reproduce-full: reproduce  ## the sample with all seeds, protocols, controls and sensitivities: hours on two cores
	$(SNAKEMAKE) --config study=sample-full

site: $(if $(filter paper%,$(STUDY)),$(STUDY),reproduce)  ## build the page, site/index.html: the answer, tables, notebooks (STUDY=...)
	@$(BIN)/python -m lib.report.site --study "$$STUDY"

data: .venv/installed  ## download CREMA-D and RAVDESS from their publishers and verify them: make data [TO=folder] [ACTORS="1001 1002 1 2"]
	$(BIN)/python -m lib.corpora.obtain all $(if $(TO),--to "$$TO") $(if $(ACTORS),--actors $$ACTORS)

doctor: .venv/installed  ## list what is installed, missing or wrong, and the next command (STUDY=paper-full; CHECKSUMS=1: verify files)
	@$(BIN)/python -m lib.run.doctor $(if $(filter paper%,$(STUDY)),--config "$$STUDY") --cremad "$$CREMAD" --ravdess "$$RAVDESS" $(if $(CHECKSUMS),--checksums)

paper paper-full paper-try: setup  ## run the paper's study: make paper CREMAD=folder RAVDESS=folder (-full: with all; -try: in ten minutes)
	@test -d "$$CREMAD" -a -d "$$RAVDESS" || \
	  { echo "Fetch the corpora (make data) or name them: make paper CREMAD=/data/CREMA-D RAVDESS=/data/RAVDESS"; exit 1; }
	$(SNAKEMAKE) --config study=$@ cremad="$$(cd -- "$$CREMAD" && pwd)" ravdess="$$(cd -- "$$RAVDESS" && pwd)"
	@$(BIN)/python -m lib summarise --study $@

export: .venv/installed  ## write a trained network as ONNX and LiteRT, checked: make export [RUN=folder]
	@$(BIN)/python -m lib export --study "$$STUDY" $(if $(RUN),--run "$$RUN")

predict: setup  ## predict the emotions in your own video: make predict VIDEO=clip.mp4 [RUN=folder] [TO=folder]
	@test -n "$$VIDEO" || { echo "Name a video, or a folder of videos: make predict VIDEO=clip.mp4"; exit 1; }
	@$(BIN)/python -m lib predict "$$VIDEO" --study "$$STUDY" $(if $(RUN),--run "$$RUN") $(if $(TO),--to "$$TO")

lab: setup  ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

test test-all: setup lint  ## run the tests (-all: with every hostile input, and emulated processors)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(if $(filter test-all,$@),-m "")

test-portable: setup  ## compare bytes under five emulated processors and natively (Debian's qemu-user; some ten minutes)
	$(BIN)/python tests/portable/emulated.py

test-slurm: setup  ## install a one-node Slurm (Debian, root), run the tiny study on it, compare with a local run
	$(BIN)/python tests/slurm/run_tiny_study.py

lint: .venv/installed  ## check the style of modules, notebooks and workflow, and the types of lib
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check -l 120 workflow/Snakefile
	$(BIN)/mypy

check-real: setup  ## mask real clips and compare with OpenFace: make check-real DATA=folder (without: four RAVDESS samples)
	$(BIN)/python -m lib.faces.check_real $(if $(DATA),"$$DATA")

bench: setup  ## measure masking, decoding, a training step (ours, plain Keras), the full size; estimate the paper's whole study
	$(BIN)/python tests/benchmarks/bench_masking.py
	$(BIN)/python tests/benchmarks/bench_training.py
	$(BIN)/python tests/benchmarks/bench_full_size.py
	$(BIN)/python tests/benchmarks/study_time.py

simulate-rules: .venv/installed  ## measure how often the rules of paper/verdicts.yaml are wrong, on simulated studies: tables/paper/rule_errors.csv
	$(BIN)/python -m lib.claims.simulation

notebooks: reproduce  ## execute the committed notebooks in place and record the sample's runs
	$(BIN)/python tests/record_sample.py

clean:  ## delete what the sample study made (the videos, the runs), keep the tables and figures
	@test ! -x $(BIN)/python || $(BIN)/python -m lib.run.workflow clean data/sample papermill_runs/sample
