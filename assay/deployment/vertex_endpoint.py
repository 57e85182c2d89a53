"""One endpoint of Vertex AI and the models deployed to it, as operations of the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.cloud import ApiError, Google
from assay.deployment.vertex_settings import VertexSettings
from assay.errors import InputError
from assay.registry import Registry, Version
from assay.storage import digest_json, exists, join, upload_folder

MARK, LEFT, COMING, BEFORE = "assay", "assay_left", "assay_next", "assay_previous"
"""Labels: an endpoint that `assay deploy` made; the model that the last rollback left; the one whose deployment is not
complete; and the one that served before the present one."""
PORT = 8080
CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"
CPU_TARGET = 60
"""Percent of the CPUs' use that the autoscaling aims at: the default of Vertex AI."""
LAST = "golden.jsonl"
"""File of a model folder that is uploaded last: with it, the folder is complete."""


@dataclass(frozen=True)
class VertexEndpoint:
    """An endpoint at one moment."""

    name: str
    """Resource name."""
    etag: str
    labels: Mapping[str, str] = field(default_factory=dict)
    deployed: Mapping[str, str] = field(default_factory=dict)
    """Id -> name that the deployment gave it: `ENDPOINT-VERSION-SPECIFICATION`."""
    traffic: Mapping[str, int] = field(default_factory=dict)
    """Id -> percent of the requests."""

    @property
    def serving(self) -> str:
        """Return the id with the most traffic; empty if none has any."""
        return max((id for id in self.traffic if self.traffic[id]), key=self.traffic.__getitem__, default="")

    @property
    def left(self) -> str:
        """Return the name of the model that the last rollback left; empty after a deployment."""
        return self.labels.get(LEFT, "")

    @property
    def coming(self) -> str:
        """Return the id of a model whose deployment is not complete; empty if none is there."""
        return self._there(COMING)

    @property
    def before(self) -> str:
        """Return the id of the model that served before the present one, if it is still deployed and not left."""
        found = self._there(BEFORE)
        return found if found not in (self.serving, self.coming) and not self.left else ""

    def beside(self, id: str) -> str:
        """Return the id of another model that has requests; empty if there is none."""
        shares = {other: share for other, share in self.traffic.items() if share and other != id}
        return max(shares, key=shares.__getitem__, default="")

    def _there(self, label: str) -> str:
        id = deployed_id(self.labels[label]) if self.labels.get(label) else ""
        return id if id in self.deployed else ""


def deployed_id(model: str) -> str:
    """Return the id of a model on an endpoint, ten digits. It is given, so that a repeated request deploys once."""
    return str(10**9 + int(digest_json(model)[:12], 16) % (9 * 10**9))


class Vertex:
    """The API, for the endpoints of one target."""

    def __init__(self, settings: VertexSettings, google: Google) -> None:
        self._settings, self._google = settings, google

    def path(self, endpoint: str) -> str:
        """Return the resource name of an endpoint."""
        return f"{self._google.parent}/endpoints/{endpoint}"

    def look(self, endpoint: str) -> VertexEndpoint | None:
        """Return an endpoint, or None if there is none. Raise ApiError if the API does not answer."""
        found = self._google.find(f"endpoint {endpoint} cannot be read", self.path(endpoint))
        if found is None:
            return None
        return VertexEndpoint(
            self.path(endpoint),
            str(found.get("etag", "")),
            found.get("labels", {}),
            {each["id"]: each.get("displayName", "") for each in found.get("deployedModels", [])},
            {id: int(percent) for id, percent in found.get("trafficSplit", {}).items()},
        )

    def create(self, endpoint: str) -> None:
        """Make an endpoint without a model. One that exists already is left as it is."""
        what = f"endpoint {endpoint} cannot be made"
        body = {"displayName": endpoint, "labels": {MARK: "target"}}
        self._done(what, "POST", f"{self._google.parent}/endpoints", body, {"endpointId": endpoint})

    def delete(self, endpoint: str) -> None:
        """Undeploy all models of an endpoint, and delete it. Do nothing if there is none."""
        now = self.look(endpoint)
        if now is None:
            return
        for id in now.deployed:
            self.undeploy(endpoint, id)
        self._done(f"endpoint {endpoint} cannot be deleted", "DELETE", self.path(endpoint))

    def upload(self, model: str, version: Version, environment: Mapping[str, str]) -> None:
        """Upload a version as a model of Vertex AI, unless it is there."""
        settings, path = self._settings, f"{self._google.parent}/models/{model}"
        if self._google.find(f"model {model} cannot be read", path) is not None:
            return
        place = join(settings.place, version.digest)
        try:
            if not exists(join(place, LAST)):
                with Registry(settings.registry).open(version.name) as folder:
                    upload_folder(folder, place, last=LAST)
        except OSError as error:
            raise InputError(
                f"the model cannot be written: {error}", where=place, fix="Check the bucket, and who may write there"
            ) from error
        variables = {**environment, "ASSAY_MODEL_VERSION": version.name, "ASSAY_MODEL_CREATED": version.created}
        container = {
            "imageUri": settings.image,
            "command": ["serve"],
            "env": [{"name": name, "value": value} for name, value in sorted(variables.items())],
            "ports": [{"containerPort": PORT}],
            "healthRoute": "/health",
            "predictRoute": "/predict",
        }
        body = {
            "displayName": model,
            "artifactUri": place,
            "containerSpec": container,
            "labels": {MARK: "target", "version": version.name},
        }
        what = f"the model of version {version.name} cannot be uploaded"
        self._done(what, "POST", f"{self._google.parent}/models:upload", {"modelId": model, "model": body})

    def deploy(self, endpoint: str, model: str, *, first: bool, instances: int, most: int) -> str:
        """Deploy a model to an endpoint, and return its id there. It gets all requests if it is the `first`, or none.

        Raise ApiError if it does not start, and with the status DEADLINE if that takes too long.
        """
        id, settings = deployed_id(model), self._settings
        now = self.look(endpoint)
        if now and id in now.deployed:
            return id
        resources: dict[str, Any] = {
            "machineSpec": {"machineType": settings.instance},
            "minReplicaCount": instances,
            "maxReplicaCount": most,
        }
        if most > instances:
            resources["autoscalingMetricSpecs"] = [{"metricName": CPU, "target": CPU_TARGET}]
        deployed: dict[str, Any] = {
            "id": id,
            "model": f"{self._google.parent}/models/{model}",
            "displayName": model,
            "dedicatedResources": resources,
            **({"serviceAccount": settings.role} if settings.role else {}),
        }
        # Without a split, the present one stays, and the new model gets nothing.
        body = {"deployedModel": deployed, **({"trafficSplit": {"0": 100}} if first else {})}
        self._done(
            f"model {model} cannot be deployed to {endpoint}", "POST", f"{self.path(endpoint)}:deployModel", body
        )
        return id

    def undeploy(self, endpoint: str, id: str) -> None:
        """Remove a model from an endpoint. It must have no traffic, or be the last one."""
        what = f"model {id} cannot be removed from {endpoint}"
        self._done(what, "POST", f"{self.path(endpoint)}:undeployModel", {"deployedModelId": id})

    def send(self, now: VertexEndpoint, traffic: Mapping[str, int], **labels: str) -> None:
        """Set the traffic of an endpoint that is still as `now`, and labels: `left`, `coming`, `before`.

        Raise ApiError, with the status ABORTED or FAILED_PRECONDITION if somebody else changed it meanwhile.
        """
        names = {"left": LEFT, "coming": COMING, "before": BEFORE}
        changed = dict(now.labels) | {names[name]: value for name, value in labels.items()}
        body = {"name": now.name, "etag": now.etag, "trafficSplit": dict(traffic), "labels": changed}
        mask = {"updateMask": "trafficSplit,labels"}
        self._google.call("the traffic cannot be changed", "PATCH", now.name, body, params=mask)

    def _done(
        self, what: str, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> None:
        """Run an operation to its end. What exists or is gone already counts as done: the names tell what is meant."""
        try:
            operation = self._google.call(what, method, path, body, params=params)
            self._google.finish(what, operation, self._settings.within, self._settings.poll)
        except ApiError as error:
            if error.status != ("NOT_FOUND" if method == "DELETE" else "ALREADY_EXISTS"):
                raise
