"""Say which extra of the installation brings a module that a command did not find."""

from assay.errors import InputError

MODULES = {
    "flytekit": "flyte",
    "flytekitplugins": "flyte",
    "brotli": "web",
    "datatrove": "web",
    "fastwarc": "web",
    "ftfy": "web",
    "regex": "web",
    "resiliparse": "web",
    "spacy": "web",
    "tldextract": "web",
    "trafilatura": "web",
    "w3lib": "web",
    "bentoml": "serve",
    "prometheus_client": "serve",
    "starlette": "serve",
    "kubernetes": "cluster",
    "boto3": "sagemaker",
    "google": "vertex",
    "openai": "annotate",
    "nncf": "backends",
    "onnx": "backends",
    "onnxruntime": "backends",
    "openvino": "backends",
    "mlflow": "track",
    "neptune": "track",
    "wandb": "track",
}
"""Module -> the extra of pyproject.toml that brings it. A test compares them."""


def missing_extra(error: ModuleNotFoundError) -> InputError | None:
    """Return the message for a module that an extra brings; None for any other module."""
    module = (error.name or "").partition(".")[0]
    if module not in MODULES:
        return None
    extra = MODULES[module]
    return InputError(
        f"this needs the extra `{extra}`, which is not installed",
        where=f"no module {module}",
        fix=f"Install it from the checkout: pip install '.[{extra}]', or '.[all]' for all that Assay does",
    )
