"""Check after a deployment that the URL of clients answers with the scores of the evaluation."""

import os
from pathlib import Path

from assay.cloud import Aws, AwsSettings, Google, GoogleSettings
from assay.deployment.golden import check_sagemaker, check_vertex
from assay.errors import InputError
from assay.serving import PREFIX, ServedReport, ServeSettings, check_answers

PROFILE = "ASSAY_DEPLOY_PROFILE"
"""Environment variable with the profile of ~/.aws, as for `--profile`."""
TOKEN = "ASSAY_DEPLOY_TOKEN"
"""Environment variable with a token of the service, for a check from another machine than the serving one."""


def smoke_test(model: Path, version: str, url: str) -> ServedReport:
    """Score the golden documents of a model folder at the URL of a deployment, and return the report.

    Raise InputError if the service does not answer, answers with another version, or with other scores.
    """
    if not url:
        raise InputError(f"the URL of version {version} is unknown", fix="Deploy it first")
    if "://" in url and url.partition("://")[0] in ("sagemaker", "vertex"):
        report = _at_cloud(model, version, url)
        report.require()
        return report
    token = os.environ.get(TOKEN, "")
    if not token:
        served = ServeSettings.read({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})
        token = next(iter(served.tokens), "")
    report = check_answers(model, version, url, token=token)
    report.require()
    return report


def _at_cloud(model: Path, version: str, url: str) -> ServedReport:
    """Check an endpoint of a cloud, by the URL that its target gives."""
    cloud, _, rest = url.partition("://")
    parts = rest.split("/")
    if cloud == "sagemaker":
        region, name = parts
        return check_sagemaker(model, version, Aws(AwsSettings(region, os.environ.get(PROFILE, ""))), name)
    project, location, name = parts
    google = Google(GoogleSettings(project, location))
    return check_vertex(model, version, google, f"{google.parent}/endpoints/{name}")
