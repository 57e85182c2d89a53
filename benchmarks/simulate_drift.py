"""Drift from its beginning to its end, on the shipped sample: `make simulate-drift`.

    python -m benchmarks.simulate_drift --work FOLDER [--port 3100] [--short]

A model learns from labels of the old world, in which little is worth keeping, is made champion and serves. Clients ask
about such documents, and the watch is calm. Then they ask about better ones: the alarm fires, a model is trained on the
labels of both worlds, the gate judges it beside the champion on a test set that neither has seen, and clients reach
the new one. Everything is the workflows, the service and the files that production has. Ends with status 1 where
something of this does not happen. `--short` reads the first 128 tokens of each document instead of 256.
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
"""Label from which a document is of the new world."""
FEW = 5
"""Of the good ones, one of so many is in the old world, too."""


@dataclass(frozen=True)
class Worlds:
    """Files of labelled documents, and what clients ask about."""

    old: Path
    """Labels of the old world."""
    both: Path
    """Those, and of the new world."""
    test: Path
    """In none of them."""
    old_texts: list[str]
    """Neither in `old` nor in `both`."""
    new_texts: list[str]


def worlds(place: Path, *, seed: int = 0) -> Worlds:
    """Divide the sample by chance."""
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
    """Told as it happens."""

    started: float

    def tell(self, what: str) -> None:
        print(f"[{time.monotonic() - self.started:5.0f} s] {what}", flush=True)


def answer(url: str, texts: list[str]) -> str:
    """Ask about documents, as clients do; the version that answered."""
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
    """Raises SystemExit where the story does not go as it should."""
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
    # Of 128 tokens, boilerplate before the text fills more than half: that counterfactual is not what is played here.
    gates = {"gate_limits": "counterfactuals.boilerplate_flips=0.6"} if short else {}
    trained = {"rubric": "education", "recipe": "quickstart", "encoder": encoder, **gates}
    trained |= {"window_tokens": 128} if short else {}
    places = {"registry": registry, "ledger": str(work / "ledger"), "tracking": "none"}

    def watch(since: datetime.datetime) -> object:
        time.sleep(3)  # until the service has written what it logs
        now = datetime.datetime.now(datetime.UTC)
        return watch_service(
            kickoff=now,
            source=str(given.both),
            test_set=str(given.test),
            log=log,
            hours=(now - since).total_seconds() / 3600,
            least_documents=60,
            least_reference=30,
            looks=looks,
            target=target,
            **trained,
            **places,
        )

    def champion() -> str:
        move = Registry(registry).alias(CHAMPION)
        return move.version if move else ""

    try:
        train_quality_classifier(
            source=str(given.old), promote_refused="the old world had no better", **trained, **places
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
    os.environ["FLYTE_LOCAL_CACHE_ENABLED"] = "false"  # each run is a story of its own
    if (options.work / "registry").exists():
        sys.exit(f"{options.work} holds the remains of another run: remove it, or name another folder")
    simulate(options.work.absolute(), port=options.port, encoder=options.encoder, short=options.short)


if __name__ == "__main__":
    main()
