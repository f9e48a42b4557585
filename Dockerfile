# Two images from one file:
#
#   docker build -t ethocaffe .                        our engine; with --gpus all on an NVIDIA GPU, otherwise on the CPU
#   docker build -t ethocaffe-caffe --target caffe .   real Caffe 1.0 on the CPU, as the reference
#
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" ethocaffe predict MODEL video.mp4 --output out
#
# The files are read and written in /data. The bases are arguments so that another mirror or a local root can stand in.

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
COPY data_prep /opt/ethocaffe/data_prep
COPY prototxt /opt/ethocaffe/prototxt
COPY python_layers /opt/ethocaffe/python_layers
COPY tools /opt/ethocaffe/tools
ENV PYTHONPATH=/opt/ethocaffe HOME=/tmp
RUN printf '#!/bin/sh\nexec python3 -m tools.cli "$@"\n' > /usr/local/bin/ethocaffe \
    && chmod +x /usr/local/bin/ethocaffe
WORKDIR /data
ENTRYPOINT ["ethocaffe"]
CMD ["--help"]

# Our engine. PyTorch's package brings CUDA with it; the driver comes from the host.
FROM ${ENGINE_BASE} AS engine
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates make python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ethocaffe
# The packages before the source, so that a change of the source does not download them again.
COPY requirements.lock ./
RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir --requirement requirements.lock
COPY . .
RUN make setup
ENV PATH=/opt/ethocaffe/.venv/bin:$PATH HOME=/tmp \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
ENTRYPOINT ["ethocaffe"]
CMD ["--help"]
