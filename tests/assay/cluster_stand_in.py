"""A stand-in for the API server of Kubernetes: a real HTTP server with the few paths that are used.

Its controller rolls a Deployment out pod by pod as the real one does. A test can let it misbehave.
"""

import copy
import http.server
import json
import threading
import time
from collections.abc import Callable
from typing import Any

DEPLOYMENT = "/apis/apps/v1/namespaces/assay/deployments/assay-serving"
PODS = "/api/v1/namespaces/assay/pods"


class StandIn:
    """A cluster with one Deployment. Versions in `bad` never become ready, for the reason given there."""

    def __init__(self, replicas: int = 3, deadline: float = 1.0) -> None:
        self.lock = threading.RLock()
        self.bad: dict[str, str] = {}
        self.deadline = deadline
        self.tick = 0.03
        self.stale = 0.0
        """Seconds after a change for which the status still reports the failed rollout, and one pod too many."""
        self.requests: list[tuple[str, str]] = []
        self.patches: list[dict] = []
        self.least_ready = replicas
        self.misbehave: Callable[[str, str, Any], str] = lambda *_: ""
        """Called with method, path and handler. Returns what goes wrong with this request, or an empty text."""
        self._version = 100
        self._changed = time.monotonic()
        self._old: list[str] = []
        self._new: list[str] = []
        self._reason = ""
        self.object: dict[str, Any] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "assay-serving", "namespace": "assay", "generation": 1, "annotations": {}},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "assay-serving"}},
                "template": {
                    "metadata": {"labels": {"app": "assay-serving"}, "annotations": {}},
                    "spec": {"containers": [{"name": "server", "image": "assay-serving"}]},
                },
            },
            "status": {},
        }
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            disable_nagle_algorithm = True  # an answer in two parts waits 40 ms for the acknowledgement of the first
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                stand_in.answer(self, "GET", None)

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stand_in.answer(self, "PATCH", body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.running = True
        self._threads = [threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)]
        self._threads.append(threading.Thread(target=self._control, daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.running = False
        self.server.shutdown()
        self.server.server_close()

    @property
    def wanted(self) -> str:
        return self.object["spec"]["template"]["metadata"]["annotations"].get("assay/version", "")

    @property
    def serving(self) -> set[str]:
        """Versions of the pods that are ready."""
        with self.lock:
            return {version for version in self._old + self._new if self.ready(version)}

    def ready(self, version: str) -> bool:
        return bool(version) and version not in self.bad

    def answer(self, handler: Any, method: str, body: Any) -> None:
        path = handler.path.partition("?")[0]
        self.requests.append((method, path))
        wrong = self.misbehave(method, path, handler)
        if wrong == "lost before":
            handler.close_connection = True
            handler.connection.close()
            return None
        if wrong.isdigit():
            return self.send(handler, int(wrong), {"kind": "Status", "code": int(wrong), "message": "as planned"})
        with self.lock:
            if path == DEPLOYMENT and method == "GET":
                status, content = 200, copy.deepcopy(self.object)
            elif path == DEPLOYMENT and method == "PATCH":
                assert handler.headers["Content-Type"] == "application/merge-patch+json"
                status, content = self.patch(body)
            elif path == PODS and "labelSelector=app%3Dassay-serving" in handler.path:
                status, content = 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self.pods()}
            else:
                status, content = 404, {"kind": "Status", "code": 404, "reason": "NotFound"}
        if wrong == "lost in the middle":
            data = json.dumps(content).encode()
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data[: len(data) // 2])
            handler.wfile.flush()
            handler.close_connection = True
            return None
        return self.send(handler, status, content)

    def send(self, handler: Any, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def patch(self, body: dict) -> tuple[int, dict]:
        meant = body.get("metadata", {}).get("resourceVersion")
        if meant and meant != str(self._version):
            return 409, {"kind": "Status", "code": 409, "reason": "Conflict", "message": "the object has been modified"}
        before = copy.deepcopy(self.object["spec"])
        body = copy.deepcopy(body)
        body.get("metadata", {}).pop("resourceVersion", None)
        merge(self.object, body)
        self.patches.append(body)
        if self.object["spec"] != before:
            self.object["metadata"]["generation"] += 1
        self.touch()
        return 200, copy.deepcopy(self.object)

    def touch(self) -> None:
        self._version += 1
        self.object["metadata"]["resourceVersion"] = str(self._version)

    def pods(self) -> list[dict]:
        made = []
        for number, version in enumerate(self._old + self._new):
            state: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
            last: dict[str, Any] = {}
            reason = self.bad.get(version, "")
            if reason == "ErrImagePull":
                state = {"waiting": {"reason": "ErrImagePull", "message": 'pull of "assay-serving": not found'}}
            if reason == "CrashLoopBackOff":
                state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}
                ended = "some line\nfetch: model.safetensors is missing or not what was registered\n"
                last = {"terminated": {"exitCode": 2, "message": ended}}
            made.append(
                {
                    "metadata": {
                        "name": f"assay-serving-{number}",
                        "annotations": {"assay/version": version} if version else {},
                    },
                    "spec": {"containers": [{"name": "server"}]},
                    "status": {
                        "phase": "Running",
                        "initContainerStatuses": [
                            {
                                "name": "fetch",
                                "image": "assay-serving",
                                "imageID": "",
                                "ready": False,
                                "restartCount": 0,
                                "state": state,
                                "lastState": last,
                            }
                        ],
                    },
                }
            )
        return made

    def _control(self) -> None:
        """Act as the Deployment's controller with maxSurge 1 and maxUnavailable 0.

        It starts one new pod, and removes an old one only when the new one is ready.
        """
        current: str | None = None
        stale_until = 0.0
        while self.running:
            time.sleep(self.tick)
            with self.lock:
                replicas, wanted = self.object["spec"]["replicas"], self.wanted
                if current != wanted:
                    everyone = self._old + self._new
                    self._new = [version for version in everyone if version == wanted]
                    self._old = [version for version in everyone if version != wanted]
                    # Pods of an unwanted version that never became ready are removed first.
                    self._old = [version for version in self._old if self.ready(version)] if wanted else self._old
                    if self._reason == "ProgressDeadlineExceeded":
                        stale_until = time.monotonic() + self.stale
                    current, self._changed, self._reason = wanted, time.monotonic(), "ReplicaSetUpdated"
                ready = [version for version in self._old + self._new if self.ready(version)]
                if len(self._new) < replicas and len(self._new) + len(self._old) <= replicas:
                    if all(self.ready(version) for version in self._new) or not self._old:
                        self._new.append(wanted)
                        self._changed = time.monotonic()
                elif self._old and len(ready) > replicas:
                    self._old.pop()
                    self._changed = time.monotonic()
                ready = [version for version in self._old + self._new if self.ready(version)]
                if self._old and any(self.ready(version) for version in self._old):
                    self.least_ready = min(self.least_ready, len(ready))
                done = len(self._new) == replicas and not self._old and all(map(self.ready, self._new))
                if done:
                    self._reason = "NewReplicaSetAvailable"
                elif self._reason == "ReplicaSetUpdated" and time.monotonic() - self._changed > self.deadline:
                    self._reason = "ProgressDeadlineExceeded"
                failed = self._reason == "ProgressDeadlineExceeded"
                status = {
                    "observedGeneration": self.object["metadata"]["generation"],
                    "replicas": len(self._old) + len(self._new),
                    "updatedReplicas": len(self._new),
                    "availableReplicas": len(ready),
                    "conditions": [
                        {"type": "Progressing", "status": "False" if failed else "True", "reason": self._reason}
                    ],
                }
                if time.monotonic() < stale_until:
                    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
                    status |= {"replicas": int(status["replicas"]) + 1, "conditions": [condition]}
                if status != self.object["status"]:
                    self.object["status"] = status
                    self.touch()


def merge(target: dict, patch: dict) -> None:
    """Apply a JSON merge patch (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            merge(target[key], value)
        else:
            target[key] = value
