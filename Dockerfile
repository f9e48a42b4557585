# Two images from one file:
#
#   docker build -t ethocaffe .                        our engine; with --gpus all on an NVIDIA GPU, otherwise on the CPU
#   docker build -t ethocaffe-caffe --target caffe .   real Caffe 1.0 on the CPU, as the reference
#
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" ethocaffe predict MODEL video.mp4 --output out
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" ethocaffe caffe train --solver=solver.prototxt
#
# What follows the image's name is an `ethocaffe` command, or any program in it: caffe, python3, torchrun. Files are read
# and written in /data. Several GPUs share memory through /dev/shm: add --shm-size 1g.
#
# The bases are arguments so that another mirror or a local root can stand in; tests/containers/build.sh uses them so.

ARG CAFFE_BASE=debian:bullseye-slim
ARG ENGINE_BASE=debian:bookworm-slim

# Real Caffe 1.0: Debian 11 is the last release that packages it. The tools run there unchanged, from the source folder:
# engine/ is left out, so that `import caffe` is the real one.
FROM ${CAFFE_BASE} AS caffe
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        caffe python3-caffe libopenblas0-pthread python3-av python3-h5py python3-lmdb python3-matplotlib \
        python3-opencv python3-pytest python3-sklearn \
    && rm -rf /var/lib/apt/lists/*
RUN printf '#!/bin/sh\nexec python3 -m tools.cli "$@"\n' > /usr/local/bin/ethocaffe \
    && chmod +x /usr/local/bin/ethocaffe
COPY LICENSE /opt/ethocaffe/
COPY current_system /opt/ethocaffe/current_system
COPY data_prep /opt/ethocaffe/data_prep
COPY prototxt /opt/ethocaffe/prototxt
COPY python_layers /opt/ethocaffe/python_layers
COPY tools /opt/ethocaffe/tools
COPY results/published /opt/ethocaffe/results/published
ENV PYTHONPATH=/opt/ethocaffe HOME=/tmp
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["/opt/ethocaffe/tools/run_in_image.sh"]
CMD ["--help"]

# Our engine. PyTorch's package brings CUDA with it; the driver comes from the host.
FROM ${ENGINE_BASE} AS engine
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ethocaffe
ENV PATH=/opt/ethocaffe/.venv/bin:$PATH HOME=/tmp \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
# The packages before the source, so that a change of the source does not download them again: what the two projects
# need to run, in the versions of the lock.
COPY requirements.lock pyproject.toml ./
COPY engine/pyproject.toml engine/
RUN python3 -m venv .venv \
    && python3 -c 'import tomllib; [print(need) for file in ("pyproject.toml", "engine/pyproject.toml") \
        for need in tomllib.load(open(file, "rb"))["project"]["dependencies"] if "caffe-on-torch" not in need]' > needed \
    && pip install --no-cache-dir --constraint requirements.lock --requirement needed setuptools \
    && rm needed
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable engine --editable . \
    && python3 -m compileall -q annotation current_system data_prep engine prototxt python_layers tools
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["/opt/ethocaffe/tools/run_in_image.sh"]
CMD ["--help"]
