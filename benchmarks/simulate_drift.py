"""Simulate drift from the first changed document to a new champion, on the shipped sample: `make simulate-drift`.

    python -m benchmarks.simulate_drift --work FOLDER [--port 3100] [--short]

A model is trained on labels of the old world, in which few documents are good. It becomes champion and serves. Clients
send such documents, and the watch is calm. Then they send better documents: the alarm fires, a model is trained on the
labels of both worlds and compared with the champion on a test set that neither has seen, and clients reach the new
model. All parts are the workflows, the service and the files of production. Exits with status 1 if one of these steps
does not happen. `--short` reads the first 128 tokens of each document instead of 256.
"""

import argparse
import datetime
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample" / "documents.jsonl"
TEST_DOCUMENTS = 170
GOOD = 3
"""Smallest label of a good document."""
FEW = 5
"""One good document in this many is also in the old world."""


@dataclass(frozen=True)
class Worlds:
    """Files of labelled documents, and the documents that clients send."""

    old: Path
    """Labelled documents of the old world."""
    both: Path
    """Labelled documents of the old and the new world."""
    test: Path
    """Labelled documents of both worlds that no model is trained on."""
    old_texts: list[str]
    """Texts of the old world from `test`."""
    new_texts: list[str]
    """Good documents of the whole sample."""


def worlds(place: Path, *, seed: int = 0) -> Worlds:
    """Divide the sample at random into the files of both worlds."""
    place.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    table = pd.DataFrame(rows).sample(frac=1, random_state=seed, ignore_index=True)
    test, learned = table[:TEST_DOCUMENTS], table[TEST_DOCUMENTS:]

    def old(of: pd.DataFrame) -> pd.DataFrame:
        good = of["label"] >= GOOD
        return of[~good | (good & (good.cumsum() % FEW == 0))]

    files = {"old": old(learned), "both": learned, "test": test}
    for name, part in files.items():
        part.to_parquet(place / f"{name}.parquet", index=False)
    new = table[table["label"] >= GOOD]
    return Worlds(*(place / f"{name}.parquet" for name in files), old(test)["text"].tolist(), new["text"].tolist())


@dataclass(frozen=True)
class Story:
    """Progress lines with the seconds since the start."""

    started: float

    def tell(self, what: str) -> None:
        print(f"[{time.monotonic() - self.started:5.0f} s] {what}", flush=True)


def answer(url: str, texts: list[str]) -> str:
    """Send documents to the service as a client, and return the version of the model that answers."""
    from assay.serving import ask

    version = ""
    for start in range(0, len(texts), 16):
        documents = [{"id": str(start + place), "text": text} for place, text in enumerate(texts[start : start + 16])]
        status, answers = ask(url, "/score", {"documents": documents}, timeout=120)
        if status != 200:
            raise SystemExit(f"the service answers {status}: {answers}")
        version = answers[0]["model"]["version"]
    return version


def simulate(work: Path, *, port: int, encoder: str = "", short: bool = False) -> None:
    """Run the whole simulation. Raise SystemExit if a step does not have its expected result."""
    from assay.deployment import open_target, parse_target
    from assay.registry import CHAMPION, DecisionLog, Registry
    from workflows.deployment import deploy_champion
    from workflows.training import train_quality_classifier
    from workflows.watch import watch_service

    story = Story(time.monotonic())
    given = worlds(work / "worlds")
    registry, log, looks = str(work / "registry"), str(work / "score-log"), str(work / "looks")
    target = f"local,folder={work / 'deployment'},port={port}"
    url = f"http://127.0.0.1:{port}"
    os.environ |= {"ASSAY_SERVE_LOG": log, "ASSAY_SERVE_LOG_SECONDS": "1"}
    # Boilerplate before the text fills more than half of 128 tokens, and turns 42 % of the decisions. That gate is not
    # the subject here, so its limit is moved.
    options: dict[str, object] = {"encoder": encoder} if encoder else {}
    if short:
        options |= {"gate_limit": {"counterfactuals.boilerplate_flips": 0.6}, "window_tokens": 128}
    # A few dozen labels cannot show a gain at the level of one of 52 decisions a year.
    few = {"limit": {"decisions_a_year": 4}}
    watched = {"least_documents": 60, "least_reference": 30, "least_worth": 20, **few, **options}
    trained = {"rubric": "education", "recipe": "quickstart"}
    places = {"registry": registry, "ledger": str(work / "ledger"), "tracking": "none"}

    def watch(since: datetime.datetime) -> object:
        time.sleep(3)  # until the service has written its log
        now = datetime.datetime.now(datetime.UTC)
        return watch_service(
            kickoff=now,
            source=str(given.both),
            test_set=str(given.test),
            log=log,
            hours=(now - since).total_seconds() / 3600,
            looks=looks,
            target=target,
            options=json.dumps(watched),
            **trained,
            **places,
        )

    def champion() -> str:
        move = Registry(registry).alias(CHAMPION)
        return move.version if move else ""

    try:
        train_quality_classifier(
            source=str(given.old),
            promote_refused="the old world had no better",
            options=json.dumps(options),
            **trained,
            **places,
        )
        deploy_champion(registry=registry, target=target)
        first = champion()
        story.tell(f"{first} has learned from the old world, is champion and serves at {url}")

        began = datetime.datetime.now(datetime.UTC)
        _require(answer(url, given.old_texts) == first, "another version answers")
        calm = watch(began)
        story.tell(f"{len(given.old_texts)} documents of the old world: {calm.sentence}")
        _require("Calm" in calm.sentence, "the watch is not calm")

        began = datetime.datetime.now(datetime.UTC)
        answer(url, given.new_texts)
        story.tell(f"{len(given.new_texts)} documents of the new world were asked about")
        decision = watch(began)
        story.tell(f"{decision.outcome}: {decision.sentence}")
        _require(decision.outcome == "promoted", "the gate did not let it pass")
        _require(answer(url, given.new_texts[:1]) == champion() == decision.version, "the new version does not answer")
        story.tell(f"{decision.version} answers at {url}; {DecisionLog(registry).page_of(decision)}")
    finally:
        open_target(parse_target(target), registry).stop()  # type: ignore[attr-defined]


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(f"not as it should be: {otherwise}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--port", type=int, default=3100)
    parser.add_argument("--encoder", default="")
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    os.environ["FLYTE_LOCAL_CACHE_ENABLED"] = "false"  # a cached task would skip a step of the simulation
    if (options.work / "registry").exists():
        sys.exit(f"{options.work} holds the remains of another run: remove it, or name another folder")
    simulate(options.work.absolute(), port=options.port, encoder=options.encoder, short=options.short)


if __name__ == "__main__":
    main()
