"""The programming interfaces of two clouds: clients with retries, and their errors in words that say what to do."""

from assay.cloud.aws import Aws, AwsSettings, require_existing, require_names
from assay.cloud.google import ApiError, Google, GoogleSettings, GoogleToken
from assay.cloud.google import require_image as require_google_image
from assay.cloud.runtime import Runtime

__all__ = [
    "ApiError",
    "Aws",
    "AwsSettings",
    "Google",
    "GoogleSettings",
    "GoogleToken",
    "Runtime",
    "require_existing",
    "require_google_image",
    "require_names",
]
