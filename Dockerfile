# The image of the tasks: dependencies from the lock, no code. Flyte unpacks the code archive of a registration into
# the working directory; an installed `assay` could shadow it.
FROM python:3.11-slim-bookworm

# Name an index or a folder with a CPU build of torch to get an image without CUDA.
ARG PIP_FIND_LINKS=""
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 HF_HOME=/home/flyte/.cache/huggingface

COPY requirements.lock /tmp/requirements.lock
RUN pip install "uv>=0.9,<1" \
    && UV_FIND_LINKS="$PIP_FIND_LINKS" uv pip install --system --no-cache -r /tmp/requirements.lock \
    && pip check \
    && rm /tmp/requirements.lock

# Not root, and a working directory that can be written: the code archive goes there.
RUN useradd --create-home --uid 1000 flyte
USER flyte
WORKDIR /home/flyte/code
ENV PYTHONPATH=/home/flyte/code
