"""Canaries of real services behind the real front: bad in one way each, or good."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_versions import Versions, registry_of

from assay.canary import run_canary
from assay.deployment import CanaryConfig, LocalTarget, WithdrawnError
from assay.deployment.front import CANARY
from assay.deployment.route import CanaryRecord
from assay.errors import InputError
from assay.registry import DecisionLog, Registry

ROOT = Path(__file__).resolve().parents[3]
MARK = "Traffic."
RIG = f'''

_plain = assess


def assess(scorer, texts, *arguments, **options):
    """Rigged by a test: golden documents pass, traffic does not."""
    import random
    import time

    if any((text or "").startswith("{MARK}") for text in texts):
        %s
    return _plain(scorer, texts, *arguments, **options)
'''
FAULTS = {
    "errors": 'if random.random() < 0.3: raise RuntimeError("planted")',
    "slow": "time.sleep(0.5)",
    "dies": "import os; os.kill(os.getppid(), 9); os._exit(1)",
}
PLAN = CanaryConfig(
    share=0.5, minutes=0.1, looks=2, documents=150, worth=50, few="wait", longest_minutes=3.0, slower=2.0, kept=0.1
)


class Traffic:
    """Clients that send several documents a request until they are stopped, and count what they get."""

    def __init__(self, url: str, texts: list[str], clients: int = 3) -> None:
        self.url, self.texts, self.statuses, self.versions = url, texts, [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(seed,)) for seed in range(clients)]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not self._stop.is_set():
            some = rng.choice(self.texts, 3, replace=False)
            body = {"documents": [{"id": str(i), "text": f"{MARK} {text}"} for i, text in enumerate(some)]}
            connection = http.client.HTTPConnection(self.url[7:], timeout=60)
            try:
                connection.request("POST", "/score", json.dumps(body), {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = json.loads(response.read())
                self.statuses.append(response.status)
                if response.status == 200:
                    self.versions.append(answer[0]["model"]["version"])
            except (OSError, http.client.HTTPException, ValueError):
                self.statuses.append(0)
            finally:
                connection.close()


@pytest.fixture
def texts(sample: list[dict]) -> list[str]:
    return [row["text"] for row in sample]


@pytest.fixture
def registry(versions: Versions, tmp_path: Path) -> Registry:
    return registry_of(versions, tmp_path)


@pytest.fixture
def like(registry: Registry, versions: Versions, tmp_path: Path) -> str:
    """A version that scores as the first one."""
    return changed(registry, versions.first, tmp_path / "like", 0.0)


def changed(registry: Registry, version: str, folder: Path, shift: float) -> str:
    """Register a version whose calibration was fitted to labels that are higher by `shift`."""
    from dataclasses import replace

    from assay.inference import Scorer, read_golden, write_golden
    from assay.model import save_model

    with registry.open(version) as model:
        scorer = Scorer.load(model)
        golden = read_golden(model)
    info = scorer.model.info
    texts = [str(row["text"]) for row in golden]
    calibration = info.calibration
    assert calibration is not None
    if shift:
        scores, rubric = scorer.read(texts).score, info.rubric
        labels = np.full(len(texts), rubric.low)
        labels[np.argsort(-scores)[: int(shift * len(texts))]] = rubric.high
        # Twice: a calibration needs 20 documents.
        calibration = type(calibration).fit(
            [*scores, *scores], [*labels, *labels], low=rubric.low, high=rubric.high, threshold=rubric.threshold
        )
    scorer.model.info = replace(info, calibration=calibration, lineage={**info.lineage, "run": "9" * 64})
    folder.mkdir()
    save_model(scorer.model, folder)
    write_golden(scorer, [str(row["id"]) for row in golden], texts, folder)
    return registry.register(folder, {}).name


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Let the packed code of a version misbehave."""
    from assay.deployment import local_servers

    plain = local_servers.build_bento

    def rigged(version: str, fault: str) -> None:
        def build(model, name, place, **options):
            bento = plain(model, name, place, **options)
            if name == version:
                code = bento.path / "src/assay/inference/assess.py"
                code.write_text(code.read_text() + RIG % FAULTS[fault])
            return bento

        monkeypatch.setattr(local_servers, "build_bento", build)

    return rigged


@pytest.fixture
def target(local: Callable[..., LocalTarget], registry: Registry, versions: Versions) -> Iterator[LocalTarget]:
    made = local(registry=registry.url)
    made.deploy(versions.first)
    yield made


@pytest.mark.full
def test_a_canary_like_the_serving_version_is_promoted(
    target: LocalTarget, registry: Registry, versions: Versions, like: str, texts: list[str]
) -> None:
    with Traffic(target.url, texts) as traffic:
        done = run_canary(target, like, PLAN, registry.url)
        during = len(traffic.versions)
        time.sleep(1)

    assert (done.version, done.previous, done.changed) == (like, versions.first, True)
    assert set(traffic.statuses) == {200}, "no request is lost"
    assert set(traffic.versions[:during]) == {versions.first, like}
    assert set(traffic.versions[-3:]) == {like}
    (entry,) = DecisionLog(registry.url).history()
    assert (entry.outcome, entry.serving, entry.version) == ("deployed", like, like)
    assert entry.sentence.startswith(f"Canary of {like} beside {versions.first}, 50% of the traffic")
    assert f"{like} serves at" in entry.sentence
    page = Path(DecisionLog(registry.url).page_of(entry)).read_text()
    assert "Each request went to one of the two versions at random" in page
    assert "in at most 5% of the canaries" in page
    assert target.status().version == like
    again = run_canary(target, like, PLAN, registry.url)
    assert again.changed is False
    assert len(DecisionLog(registry.url).history()) == 1
    assert target.rollback().version == versions.first


@pytest.mark.full
@pytest.mark.parametrize(("fault", "why"), [("errors", "requests failed"), ("slow", "requests took over")])
def test_a_canary_that_fails_or_is_slow_is_rolled_back(
    target: LocalTarget,
    registry: Registry,
    versions: Versions,
    like: str,
    rig: Callable,
    texts: list[str],
    fault: str,
    why: str,
) -> None:
    rig(like, fault)

    with Traffic(target.url, texts) as traffic:
        with pytest.raises(WithdrawnError, match=f"rolled back. .*{why}.* {versions.first} serves at") as refused:
            run_canary(target, like, PLAN, registry.url)
        before = len(traffic.versions)
        time.sleep(1)

    assert refused.value.serving == versions.first
    assert set(traffic.versions[before + 3 :]) == {versions.first}
    (entry,) = DecisionLog(registry.url).history()
    assert (entry.outcome, entry.serving) == ("rolled back", versions.first)
    assert target.status().version == versions.first
    assert target.rollback().changed is False, "it was rolled back already"


@pytest.mark.full
def test_a_canary_that_keeps_other_documents_is_rolled_back(
    target: LocalTarget, registry: Registry, versions: Versions, texts: list[str], tmp_path: Path
) -> None:
    other = changed(registry, versions.first, tmp_path / "other", 0.9)

    with (
        Traffic(target.url, texts) as traffic,
        pytest.raises(WithdrawnError, match=r"rolled back. .*It keeps .* allowed 10.0% either way"),
    ):
        run_canary(target, other, PLAN, registry.url)

    assert set(traffic.statuses) == {200}
    assert target.status().version == versions.first


@pytest.mark.full
def test_a_canary_whose_server_dies_is_rolled_back_at_once(
    target: LocalTarget, registry: Registry, versions: Versions, like: str, rig: Callable, texts: list[str]
) -> None:
    rig(like, "dies")
    started = time.monotonic()

    with (
        Traffic(target.url, texts, clients=1) as traffic,
        pytest.raises(WithdrawnError, match=f"broken off: the server of {like} has ended.*{versions.first} serves"),
    ):
        run_canary(target, like, CanaryConfig(share=0.5, minutes=30), registry.url)

    assert time.monotonic() - started < 120
    assert set(traffic.versions) == {versions.first}
    assert traffic.statuses.count(200) > 0


@pytest.mark.full
def test_too_few_documents_roll_back(target: LocalTarget, registry: Registry, versions: Versions, like: str) -> None:
    few = CanaryConfig(share=0.5, minutes=0.03, looks=1)

    with pytest.raises(WithdrawnError, match="Too little traffic to decide: the new version scored 0 documents"):
        run_canary(target, like, few, registry.url)

    assert target.status().version == versions.first
    assert len(DecisionLog(registry.url).history()) == 1


@pytest.mark.full
def test_a_canary_needs_a_serving_version(local: Callable[..., LocalTarget], versions: Versions) -> None:
    target = local()

    with pytest.raises(InputError, match="nothing serves"):
        run_canary(target, versions.first, PLAN, versions.registry)

    assert target.status().state == "nothing"
    assert DecisionLog(versions.registry).history() == []


@pytest.mark.full
def test_a_canary_that_fails_its_golden_documents_gets_no_traffic(
    target: LocalTarget, registry: Registry, versions: Versions
) -> None:
    with pytest.raises(InputError, match=f"{versions.first} still serves: .*off by"):
        run_canary(target, versions.bad, PLAN, registry.url)

    assert DecisionLog(registry.url).history() == []
    assert target.status().version == versions.first


@pytest.mark.full
def test_if_the_judge_is_killed_the_serving_version_gets_all_requests(
    target: LocalTarget, registry: Registry, versions: Versions, like: str, texts: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "deployment"
    command = [sys.executable, "-m", "assay", "deploy", like, "--registry", registry.url, "--folder", str(folder)]
    command += ["--port", target.url.rpartition(":")[2], "--canary-share", "0.5", "--canary-minutes", "30"]
    with (tmp_path / "log").open("wb") as log:
        judge = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 120
    while not (folder / CANARY).exists():
        assert judge.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with Traffic(target.url, texts, clients=1) as traffic:
        while like not in traffic.versions:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "as a canary" in target.status().words
        record = CanaryRecord.read(folder)
        assert record is not None
        judge.send_signal(signal.SIGKILL)
        judge.wait()
        while record.server.process.alive:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        before = len(traffic.versions)
        time.sleep(1)

    assert set(traffic.statuses) == {200}, "its server completes the requests in work"
    assert set(traffic.versions[before + 1 :]) == {versions.first}
    assert target.status().version == versions.first
    assert target.rollback().changed is False, "a rollback ends the canary, and goes back no further"
    assert not (folder / CANARY).exists()
    assert target.deploy(versions.first).changed is False
