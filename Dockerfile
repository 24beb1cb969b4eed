# Reading Room for a machine with an NVIDIA GPU, or without. torch's wheels bring CUDA: the host needs
# the driver and the NVIDIA container toolkit, and nothing of CUDA has to be in the image beneath.
FROM python:3.12-slim-bookworm

# OpenCV's wheels draw on these.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 reader \
    && install -d -o reader -g reader /data /app

WORKDIR /app
COPY requirements.txt ./
RUN python -m pip install --no-cache-dir -r requirements.txt

COPY --chown=reader:reader app.py LICENSE README.md ./
COPY --chown=reader:reader assets ./assets
COPY --chown=reader:reader enhancers ./enhancers
COPY --chown=reader:reader study ./study

ENV PYTHONUNBUFFERED=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    READINGROOM_HOST=0.0.0.0 \
    READINGROOM_PORT=7860 \
    READINGROOM_CACHE_DIR=/data/cache \
    READINGROOM_MODELS_DIR=/data/networks \
    HF_HOME=/data/hub

USER 1000
VOLUME /data
EXPOSE 7860

# The page itself is asked for; it stands before torch is imported.
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['READINGROOM_PORT'], timeout=8).read(1)"]

CMD ["python", "app.py"]
