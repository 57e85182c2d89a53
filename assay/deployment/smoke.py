"""Does what clients reach say what the evaluation said? Asked after a deployment, from where the clients are."""

import os
from pathlib import Path

from assay.errors import InputError
from assay.serving import PREFIX, ServedReport, ServeSettings, check_answers

TOKEN = "ASSAY_DEPLOY_TOKEN"
"""A token of the service, for who asks from elsewhere than the machine that serves."""


def smoke_test(model: Path, version: str, url: str) -> ServedReport:
    """Ask for the golden documents of a model folder at the URL of a deployment.

    Raises InputError where they are not answered, by another version, or with other scores.
    """
    if not url:
        raise InputError(f"nothing tells where {version} is reached", fix="Deploy it first")
    token = os.environ.get(TOKEN, "")
    if not token:
        served = ServeSettings.read({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})
        token = next(iter(served.tokens), "")
    report = check_answers(model, version, url, token=token)
    report.require()
    return report
