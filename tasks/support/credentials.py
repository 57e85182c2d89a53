"""Credentials and endpoint of the object store that Flyte gives to a pod, for all other code in it.

Flyte's sandbox, and any installation with MinIO, gives its pods FLYTE_AWS_… alone. flytekit reads these names; fsspec,
which `assay.storage` uses, pyarrow and MLflow read those of AWS
(https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html).
"""

import os
from collections.abc import MutableMapping

KEYS = {
    "FLYTE_AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
    "FLYTE_AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
}
OWN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""Variables of a pod that has credentials of its own. A pair is never mixed from two places."""


def take_credentials(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the names of AWS from those of Flyte. What is set already stays."""
    if not any(environment.get(name) for name in OWN):
        for given, name in KEYS.items():
            if environment.get(given):
                environment[name] = environment[given]
    if environment.get("FLYTE_AWS_ENDPOINT"):
        environment.setdefault("AWS_ENDPOINT_URL", environment["FLYTE_AWS_ENDPOINT"])
