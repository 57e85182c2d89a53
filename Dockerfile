# The images, one a target (`make images` builds all):
#
#   docker build --target task .        tasks on CPUs
#   docker build --target task-gpu .    tasks on GPUs
#   docker build --target serve .       the service
#   docker build --target cloud .       service and training on SageMaker and Vertex AI; cloud-gpu: training on GPUs
#
# Those of tasks hold dependencies and no code: Flyte unpacks the code of a registration into the working directory, and an
# installed `assay` could shadow it. So new code needs no new image of them; the service's gets one layer. What the context
# lets through is in .dockerignore.

# Tag and digest, which CI resolves anew: a tag can move, a digest cannot.
FROM python:3.11.15-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 1000 --user-group --shell /usr/sbin/nologin assay \
    && install --directory --owner=assay --group=assay /home/assay/code

# Tools and caches of installing stay behind in these two.
FROM base AS tools
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1

# torch comes from PyTorch's own index of CPU builds; or, with an empty TORCH_BACKEND, from a page of links to one that
# UV_FIND_LINKS names. PyPI's build is the one for CUDA, and is not wanted here.
FROM tools AS cpu
ARG TORCH_BACKEND=cpu
ARG UV_FIND_LINKS=""
COPY requirements-cpu.lock /tmp/requirements.lock
RUN uv venv /opt/venv \
    && uv pip install --python /opt/venv --no-cache ${TORCH_BACKEND:+--torch-backend="$TORCH_BACKEND"} \
      -r /tmp/requirements.lock \
    && uv pip check --python /opt/venv \
    && /opt/venv/bin/python -c "import torch; assert torch.version.cuda is None, 'a CUDA build: see TORCH_BACKEND'"

FROM tools AS cuda
COPY requirements-gpu.lock /tmp/requirements.lock
RUN uv venv /opt/venv \
    && uv pip install --python /opt/venv --no-cache -r /tmp/requirements.lock \
    && uv pip check --python /opt/venv \
    && /opt/venv/bin/python -c "import torch; assert torch.version.cuda, 'not a CUDA build'"

FROM base AS runner
ENV HF_HOME=/home/assay/.cache/huggingface \
    PYTHONPATH=/home/assay/code
USER 1000:1000
# The user's own: the code of a registration is unpacked here.
WORKDIR /home/assay/code

# The last line of each image of tasks looks at the code as it is now, and leaves nothing of it behind.
FROM runner AS task
COPY --from=cpu /opt/venv /opt/venv
RUN --mount=type=bind,target=/tmp/checkout PYTHONPATH=/tmp/checkout python /tmp/checkout/infra/image/check_tasks.py

FROM runner AS task-gpu
# What the container runtime shows of the driver: computing, and nvidia-smi's library, which measures energy.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=cuda /opt/venv /opt/venv
RUN --mount=type=bind,target=/tmp/checkout PYTHONPATH=/tmp/checkout python /tmp/checkout/infra/image/check_tasks.py

# No model: which one is served, the pods are told. Their root file system is read-only, and /tmp a volume.
FROM base AS serve
ENV PYTHONPATH=/opt/assay
COPY --from=cpu /opt/venv /opt/venv
# Beside the code, where the packing of a version looks for it.
COPY requirements.lock /opt/assay/requirements.lock
COPY assay /opt/assay/assay
USER 1000:1000
WORKDIR /tmp
RUN python -m assay.deployment.fetch --help >/dev/null && python -c "import assay.serving.service"

# What the two clouds run by a word: `serve` and `train`. SageMaker demands that a container runs as root, since it mounts
# model and output as root (https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html).
FROM serve AS cloud
# hadolint ignore=DL3002
USER root
COPY infra/image/serve infra/image/train /usr/local/bin/
RUN serve --help >/dev/null && train --help >/dev/null

FROM base AS cloud-gpu
ENV PYTHONPATH=/opt/assay \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=cuda /opt/venv /opt/venv
COPY requirements.lock /opt/assay/requirements.lock
COPY assay /opt/assay/assay
COPY infra/image/serve infra/image/train /usr/local/bin/
WORKDIR /tmp
RUN train --help >/dev/null
