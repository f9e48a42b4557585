# Everything runs from a virtual environment in .venv: no root, no GPU, nothing installed elsewhere.
# Several of these may be set:  make setup PYTHON=python3.12    make test PYTEST_ARGS='-k lstm'

PYTHON ?= python3
PYTEST_ARGS ?= -n 2
BIN := .venv/bin

.PHONY: help setup demo bench test lint conformance fuzz images proto prototxt lock

help:
	@echo 'make setup        install everything into .venv'
	@echo 'make demo         simulate, train, evaluate and predict; report in results/demo/report.html'
	@echo 'make bench        how fast everything is, beside real Caffe (root) and the machine; BENCH_ARGS="--parts steps,predict"'
	@echo 'make test         all tests'
	@echo 'make lint         ruff and mypy'
	@echo 'make conformance  the engine against real Caffe, live; builds that first (root); FULL=1: full-size networks'
	@echo 'make fuzz         20,000 damaged files of every kind; FUZZ_ARGS="--seconds 60 --kind net,lmdb" for less'
	@echo 'make images       build and try the container images without Docker (root, buildah, debootstrap)'
	@echo 'make prototxt     write the networks again from their generator'
	@echo 'make proto        write caffe_pb2.py again from caffe.proto'
	@echo 'make lock         write requirements.lock again from .venv'

setup: .venv/.complete

# The stamp comes last, so that an interrupted set-up is done again.
.venv/.complete: requirements.lock pyproject.toml engine/pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v < (3, 11) and sys.exit("Python 3.11 or newer is needed; this is %d.%d. Name another: make setup PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable engine --editable .
	touch $@

demo: setup
	$(BIN)/python -m tools.demo --output results/demo

bench: setup
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

# One thread for each of the two test processes: more only get into each other's way.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

conformance: setup
	OMP_NUM_THREADS=1 $(BIN)/python tests/conformance/conformance.py $(if $(FULL),--full)

fuzz: setup
	$(BIN)/python tests/fuzz/fuzz.py --save results/fuzz $(FUZZ_ARGS)

images:
	tests/containers/build.sh

proto: setup
	$(BIN)/python -m grpc_tools.protoc -I engine --python_out=engine engine/caffe/proto/caffe.proto

prototxt: setup
	$(BIN)/python -m prototxt.generate

# "+cpu" and the like are taken off: the plain version is what every package index has.
lock:
	{ sed -n '/^#/p' requirements.lock; $(BIN)/pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+.*$$//'; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
