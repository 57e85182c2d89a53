"""Serve here: the version that was made, where the user of this machine reaches it."""

import socket

from flytekit import task

from assay.deployment import LocalTarget, open_target
from assay.errors import InputError
from assay.progress import stage
from tasks.register import Registration
from tasks.support.resources import encoder, light
from tasks.support.settings import on_cluster
from tasks.support.stages import Stage, recorded


def _target(registry: str, port: int) -> LocalTarget:
    target = open_target({"target": "local", "port": str(port)}, registry)
    assert isinstance(target, LocalTarget)
    return target


@task(**light())
def look_at_port(port: int) -> int:
    """The port, where a server may listen at it; 0: none is wanted, or this is a pod, whose processes end with it.

    Raises InputError where another program has it: better now than when all else is done.
    """
    if port == 0 or on_cluster():
        return 0
    with stage("Check the port"):
        if _target("", port).status().state in ("serving", "degraded"):
            return port
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise InputError(
                    f"port {port} cannot be had: {error.strerror}",
                    where="127.0.0.1",
                    fix="Name another, or 0 to serve nothing: make demo PORT=3001",
                ) from error
    return port


@task(**encoder())
def serve_here(registration: Registration, port: int, checked: Stage) -> Stage:
    """In the background, until `make stop`; what served at the port before is replaced without a request lost."""
    with recorded("Serve") as line:
        if not port:
            line.remark = "not asked for"
            return line
        done = _target(registration.registry, port).deploy(registration.version)
        line.documents, line.remark = checked.documents, done.where
    return line
