"""Serve here: start the version that was made as a server on this machine."""

import socket

from flytekit import task

from assay.deployment import LocalTarget, open_target
from assay.errors import InputError
from assay.progress import stage
from tasks.register import Registration
from tasks.support.resources import encoder, light
from tasks.support.settings import lasting, on_cluster
from tasks.support.stages import Stage, recorded


def _target(registry: str, port: int) -> LocalTarget:
    target = open_target({"target": "local", "port": str(port)}, registry)
    assert isinstance(target, LocalTarget)
    return target


@task(**light())
def look_at_port(port: int) -> int:
    """Return the port if a server can listen at it; 0 if none is requested, or in a pod, whose processes end with it.

    Raise InputError if another program listens there. This comes first, not after a training of minutes.
    """
    if on_cluster():
        lasting("", "ASSAY_SCORES", "scores")  # the filtering that ends the quickstart has no other place
    if port == 0 or on_cluster():
        return 0
    with stage("Check the port"):
        # A server of ours may stay: `serve_here` replaces its version.
        if _target("", port).status().state in ("serving", "degraded"):
            return port
        with socket.socket() as probe:
            # Servers set it, too. Without it, a port whose server ended a moment ago would count as used.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise InputError(
                    f"port {port} cannot be used: {error.strerror}",
                    where="127.0.0.1",
                    fix="Name another, or 0 to serve nothing: make demo PORT=3001",
                ) from error
    return port


@task(**encoder())
def serve_here(registration: Registration, port: int, checked: Stage) -> Stage:
    """Serve in the background until `make stop`. A server of ours at the port is replaced without a lost request."""
    with recorded("Serve") as line:
        if not port:
            line.remark = "not requested"
            return line
        done = _target(registration.registry, port).deploy(registration.version)
        line.documents, line.remark = checked.documents, done.where
    return line
