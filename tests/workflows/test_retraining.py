"""`pyflyte run` of a retraining: a better model is put in service, and whatever fails, the champion keeps serving."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT, Checkout
from tiny_versions import Versions, free_port, registry_of

from assay.deployment import LocalTarget
from assay.deployment.local_settings import LocalSettings
from assay.registry import CHAMPION, Decision, DecisionLog, Registry
from assay.serving import ask


@dataclass
class House:
    """A checkout whose champion serves."""

    checkout: Checkout
    registry: Registry
    target: LocalTarget
    port: int
    first: str
    labels: Path
    test_set: Path

    @property
    def champion(self) -> str:
        move = self.registry.alias(CHAMPION)
        return move.version if move else ""

    @property
    def serving(self) -> str:
        """The version that answers a client."""
        body = {"documents": [{"id": "a", "text": "Water boils."}]}
        status, answers = ask(self.target.url, "/score", body)
        assert status == 200
        return str(answers[0]["model"]["version"])

    @property
    def decisions(self) -> list[Decision]:
        return DecisionLog(self.registry.url).history()

    def break_code(self, name: str, old: str, new: str) -> None:
        """Replace code of the checkout's serving room, until `mend_code`."""
        place = self.checkout.root / "assay" / "serving" / name
        text = place.read_text()
        assert old in text
        place.write_text(text.replace(old, new, 1))

    def mend_code(self) -> None:
        for name in ("service.py", "assayer.py"):
            shutil.copy(ROOT / "assay" / "serving" / name, self.checkout.root / "assay" / "serving")

    def retrain(self, *more: str, **variables: str) -> tuple[int, str]:
        """Return the exit status and the output. Of an option that is given twice, the last one counts."""
        given = {
            "--kickoff": "now",
            "--source": str(self.labels),
            "--test_set": str(self.test_set),
            "--rubric": "education",
            "--options": self.checkout.options(),
            "--tracking": "none",
            "--in_spite": "the tests want it",
            "--target": f"local,folder={self.checkout.work / 'deployment'},port={self.port}",
        }
        given |= dict(zip(more[::2], more[1::2], strict=True))
        options = [part for pair in given.items() if pair[1] for part in pair]
        process = self.checkout.launch(
            "retraining.py", "retrain_and_redeploy", *options, OMP_NUM_THREADS="1", **variables
        )
        out, err = process.communicate(timeout=600)
        return process.returncode, " ".join((err + out).split())


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, versions: Versions, sample: list[dict]
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    checkout = Checkout(folder, tiny_encoder)
    registry, port = registry_of(versions, checkout.work), free_port()
    rows = pd.DataFrame(sample)
    rows["when"] = [f"2026-{1 + place % 12:02d}-15" for place in range(len(rows))]
    rows[:300].to_parquet(folder / "labels.parquet", index=False)
    rows[300:].to_parquet(folder / "test.parquet", index=False)
    registry.move_alias(CHAMPION, versions.first, who="test", why="begin", evidence={}, after=None)
    target = LocalTarget(LocalSettings(checkout.work / "deployment", registry.url, port=port))
    target.deploy(versions.first)
    yield House(checkout, registry, target, port, versions.first, folder / "labels.parquet", folder / "test.parquet")
    target.stop()


@pytest.mark.full
def test_a_refused_challenger_leaves_the_champion_and_is_reported(house: House) -> None:
    status, printed = house.retrain("--in_spite", "")

    assert status == 0, printed[-3000:]
    assert house.serving == house.champion == house.first
    decision = house.decisions[-1]
    assert decision.outcome == "kept"
    assert decision.version != house.first
    assert "refused" in decision.sentence or "undecided" in decision.sentence
    assert decision.version in Path(DecisionLog(house.registry.url).page_of(decision)).read_text()


def failing(house: House, folder: Path, stage: str) -> tuple[list[str], dict[str, str], str]:
    """Return options and variables with which that stage really fails, and words of its message."""
    rows = pd.read_parquet(house.labels)
    given = folder / "given.parquet"
    if stage == "acquire":
        return ["--source", str(folder / "gone.parquet")], {}, "gone.parquet"
    if stage == "no new labels":
        return ["--time_column", "when", "--kickoff", "2025-01-01T00:00:00"], {}, "none of 300 rows is from"
    if stage == "validate":
        rows.assign(label=9).to_parquet(given)
        return ["--source", str(given)], {}, "quarantined"
    if stage == "split":
        rows[:12].to_parquet(given)
        return ["--source", str(given)], {}, "too few"
    if stage == "train":
        broken = shutil.copytree(house.checkout.encoder, folder / "encoder")
        weights = broken / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:5_000])
        return ["--options", house.checkout.options(encoder=str(broken))], {}, "encoder"
    if stage == "calibrate":
        return ["--options", house.checkout.options(keep="precision=0.999")], {}, "precision"
    if stage == "evaluate":
        return ["--options", house.checkout.options(slice_by=["weather"])], {}, "weather"
    if stage == "package":  # the service's code cannot be imported
        house.break_code("service.py", "from assay", "raise RuntimeError('planted')\nfrom assay")
        return [], {}, "planted"
    if stage == "serve check":  # the service is not the model that was measured
        house.break_code("assayer.py", "def score(", "def score_of_another(")
        return [], {}, "golden documents"
    if stage == "deploy: no server":
        return [], {"ASSAY_SERVE_DOCUMENTS": "many"}, "ASSAY_SERVE_DOCUMENTS"
    if stage == "challenge":
        return ["--test_set", str(folder / "gone.parquet")], {}, "gone.parquet"
    assert stage == "deploy: another port"
    other = house.port + 1
    return ["--target", f"local,folder={house.checkout.work / 'deployment'},port={other}"], {}, f":{other}"


@pytest.mark.full
@pytest.mark.parametrize(
    "stage",
    [
        "acquire",
        "no new labels",
        "validate",
        "split",
        "train",
        "calibrate",
        "evaluate",
        "package",
        "serve check",
        "challenge",
        "deploy: no server",
        "deploy: another port",
    ],
)
def test_whatever_fails_the_champion_keeps_serving(house: House, stage: str, tmp_path: Path) -> None:
    options, variables, message = failing(house, tmp_path, stage)
    before = len(house.decisions)

    status, printed = house.retrain(*options, **variables)
    house.mend_code()

    assert status != 0, printed[-2000:]
    assert message in printed, printed[-2000:]
    assert house.serving == house.champion == house.first
    assert [decision.outcome for decision in house.decisions[before:]] == ["failed"] * stage.startswith("deploy")


@pytest.mark.full
def test_labels_of_a_period_make_a_champion_that_clients_reach(house: House) -> None:
    kickoff = "2026-07-01T00:00:00"

    status, printed = house.retrain("--time_column", "when", "--kickoff", kickoff, "--days", "0")

    assert status == 0, printed[-3000:]
    assert "150 of 300 rows are from the beginning to 2026-07-01" in printed
    decision = house.decisions[-1]
    assert decision.outcome == "promoted"
    assert house.serving == house.champion == decision.version != house.first
    move = house.registry.alias(CHAMPION)
    assert move is not None
    assert json.loads((Path(house.registry.url) / move.evidence["verdict"]).read_text())["challenger"]
    again, printed = house.retrain("--time_column", "when", "--kickoff", kickoff, "--days", "0")
    assert again == 0, printed[-3000:]
    assert house.decisions[-1].outcome == "deployed"
    assert "is champion already" in house.decisions[-1].sentence
