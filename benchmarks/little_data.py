"""Compare ways to train on few labels: fineweb_edu's train file, a fifth of it for cut points, its val file measured.

    python -m benchmarks.little_data --data FOLDER --output work/little [--seeds 0 1 2] [--tries plain windows_512 …]
        [--recipe cheap]

Each try changes one thing of the recipe. A seed changes the documents for the cut points, the head and the order of
documents. Fits and scores are kept in the output folder and are not computed again, so that seeds may run in parallel.
Prints a row for each try: mean ± standard deviation over the seeds, and the difference of Spearman to `plain` for each
seed. If `labels_200`, `labels_400` and `plain` are among the tries, a line through Spearman over the binary logarithm
of the number of labels predicts the gain of more labels, with 95 % prediction intervals.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from scipy.stats import t as student

from assay.inference import Scorer
from assay.metrics import Outcomes, measure
from assay.model import ModelInfo, Windows, save_model
from assay.progress import say
from assay.storage import digest_json, staged_folder
from assay.training import TrainConfig, recipe
from assay.training.checkpoint import Checkpoint
from assay.training.loop import fit
from benchmarks.goals import Labelled, load, parts_of, predictions
from benchmarks.pooling import pooled_encoder

SHOWN = ("spearman", "average_precision", "f1", "best_f1", "qwk", "mae")
"""Metrics of a row. best_f1 is the best F1 over all cuts of the measured documents, a bound for any cut point."""


@dataclass(frozen=True)
class Task:
    """Data and settings of every try of one seed."""

    edu: Labelled
    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]
    data: Path
    place: Path
    seed: int
    recipe: str

    @property
    def config(self) -> TrainConfig:
        return recipe(self.recipe, precision="bf16", seed=self.seed)

    @property
    def measured(self) -> list[str]:
        """Texts of the calibration rows, then of the test rows."""
        return self.edu.rows(np.concatenate([self.calibration, self.test]))


def task(edu: Labelled, data: Path, place: Path, seed: int, name: str = "best") -> Task:
    parts = parts_of(edu, seed)
    return Task(edu, parts.train, parts.calibration, parts.test, data, place, seed, name)


def model_of(texts: list[str], labels: NDArray[np.float64], config: TrainConfig, given: Task) -> Path:
    """Return the model folder fitted to these texts and labels, trained if it is missing."""
    name = digest_json({"texts": texts, "labels": labels.tolist(), "config": asdict(config)})[:16]
    folder = given.place / name
    if not folder.exists():
        model = fit(texts, labels, ModelInfo(config.encoder, given.edu.rubric, config.windows), config).model
        with staged_folder(folder) as partial:
            save_model(model, partial)
    return folder


def scores_of(folder: Path, texts: list[str]) -> NDArray[np.float64]:
    kept = folder.with_name(f"{folder.name}-{digest_json(texts)[:16]}.npy")
    if not kept.exists():
        np.save(kept, Scorer.load(folder).read(texts).score)
    return np.load(kept)


def learned(given: Task, config: TrainConfig, *, count: int | None = None) -> NDArray[np.float64]:
    """Return the scores by a model of the train rows, or of `count` of them that the seed selects."""
    rows = given.train
    if count is not None:
        rows = np.sort(np.random.default_rng(given.seed).permutation(rows)[:count])
    return scores_of(model_of(given.edu.rows(rows), given.edu.labels[rows], config, given), given.measured)


def reference(given: Task) -> tuple[list[str], NDArray[np.float64]]:
    """Return documents that are not measured, with the scores of the public classifier."""
    table = pd.read_parquet(given.data / "fineweb_raw")
    seen = set(given.measured)
    table = table[~table["text"].isin(seen)]
    return table["text"].tolist(), table["reference_score"].to_numpy(float)


def reference_first(given: Task) -> NDArray[np.float64]:
    base = model_of(*reference(given), given.config, given)
    return learned(given, replace(given.config, encoder=str(base), learning_rate=5e-5, epochs=2))


def reference_alone(given: Task) -> NDArray[np.float64]:
    return scores_of(model_of(*reference(given), given.config, given), given.measured)


def reference_too(given: Task) -> NDArray[np.float64]:
    texts, labels = reference(given)
    both = [*texts, *given.edu.rows(given.train)]
    known = np.concatenate([labels, given.edu.labels[given.train]])
    return scores_of(model_of(both, known, given.config, given), given.measured)


def other_sets_too(given: Task) -> NDArray[np.float64]:
    texts, labels = given.edu.rows(given.train), [given.edu.labels[given.train]]
    for name in ("sample", "web_pages"):
        other = load(name, given.data, given.place)
        texts += other.texts
        labels.append(other.labels)
    return scores_of(model_of(texts, np.concatenate(labels), given.config, given), given.measured)


def teachers(given: Task) -> list[Path]:
    """Return three models of the same rows with different seeds."""
    texts, labels = given.edu.rows(given.train), given.edu.labels[given.train]
    return [
        model_of(texts, labels, replace(given.config, seed=given.seed + 100 * number), given) for number in range(3)
    ]


def ensemble(given: Task) -> NDArray[np.float64]:
    return np.mean([scores_of(teacher, given.measured) for teacher in teachers(given)], axis=0)


def distilled(given: Task) -> NDArray[np.float64]:
    """Train one model on the mean scores of three teachers for unlabelled documents, and on the labels."""
    texts, _ = reference(given)
    said = np.mean([scores_of(teacher, texts) for teacher in teachers(given)], axis=0)
    both = [*texts, *given.edu.rows(given.train)]
    known = np.concatenate([said, given.edu.labels[given.train]])
    return scores_of(model_of(both, known, given.config, given), given.measured)


@dataclass(frozen=True)
class States(Checkpoint):
    """Checkpoint that keeps the network of each state in memory."""

    networks: list[dict[str, torch.Tensor]] = field(default_factory=list)

    def load(self) -> None:
        return None

    def save(self, state: dict[str, Any]) -> None:
        self.networks.append({name: weight.clone() for name, weight in state["network"].items()})


def early_stopped(given: Task) -> NDArray[np.float64]:
    """Train for six passes, and use the state after the pass that ranks the calibration part best."""
    config, kept = replace(given.config, epochs=6, checkpoint_updates=len(given.train) // 16), States(Path(), "")
    texts, labels = given.edu.rows(given.train), given.edu.labels[given.train]
    model = fit(texts, labels, ModelInfo(config.encoder, given.edu.rubric, config.windows), config, checkpoint=kept)
    scorer, best = Scorer(model.model), (-1.0, kept.networks[0])
    for number, network in enumerate(kept.networks, 1):
        scorer.model.network.load_state_dict(network)
        said = scorer.read(given.edu.rows(given.calibration)).score
        ranked = float(spearmanr(said, given.edu.labels[given.calibration]).statistic)
        say(f"seed {given.seed}, pass {number}: Spearman {ranked:.3f} on the calibration part")
        best = max(best, (ranked, network), key=itemgetter(0))
    scorer.model.network.load_state_dict(best[1])
    return scorer.read(given.measured).score


def pooled(pooling: str) -> Callable[[Task], NDArray[np.float64]]:
    return lambda given: learned(
        given, replace(given.config, encoder=pooled_encoder(given.config.encoder, pooling, given.place))
    )


def three_windows(given: Task, joined: Callable[[list[float]], float]) -> NDArray[np.float64]:
    """Train on the mean of beginning, middle and end, and join the scores of the windows by `joined`."""
    config = replace(given.config, windows=replace(given.config.windows, count=3))
    folder = model_of(given.edu.rows(given.train), given.edu.labels[given.train], config, given)
    kept = folder.with_name(f"{folder.name}-windows-{digest_json(given.measured)[:16]}.json")
    if not kept.exists():
        scorer = Scorer.load(folder)
        kept.write_text(json.dumps([[w.score for w in scorer.windows(text)] for text in given.measured]))
    return np.array([joined(scores) for scores in json.loads(kept.read_text())])


def changed(**changes: object) -> Callable[[Task], NDArray[np.float64]]:
    return lambda given: learned(given, replace(given.config, **changes))  # type: ignore[arg-type]


TRIES: dict[str, Callable[[Task], NDArray[np.float64]]] = {
    "plain": changed(),
    "epochs_1": changed(epochs=1),
    "epochs_6": changed(epochs=6),
    "windows_128": changed(windows=Windows(128, 1)),
    "windows_2x128": changed(windows=Windows(128, 2)),
    "windows_512": changed(windows=Windows(512, 1)),
    "windows_4x64": changed(windows=Windows(64, 4)),
    "windows_2x256": changed(windows=Windows(256, 2)),
    "three_windows": lambda given: three_windows(given, lambda scores: float(np.mean(scores))),
    "three_windows_highest": lambda given: three_windows(given, max),
    "three_windows_lowest": lambda given: three_windows(given, min),
    "mean_pooling": pooled("mean"),
    "first_token": pooled("first"),
    "mean_layer": changed(pooling="mean"),
    "early_stopped": early_stopped,
    "ordinal": changed(loss="ordinal"),
    "binary": changed(loss="binary"),
    "last_3_layers": changed(trained_layers=3),
    "head_alone": changed(trained_layers=0, learning_rate=3e-3, epochs=6),
    "labels_200": lambda given: learned(given, given.config, count=200),
    "labels_400": lambda given: learned(given, given.config, count=400),
    "other_sets_too": other_sets_too,
    "reference_alone": reference_alone,
    "reference_first": reference_first,
    "reference_too": reference_too,
    "ensemble": ensemble,
    "distilled": distilled,
}

CURVE = {"labels_200": 200, "labels_400": 400, "plain": None}
"""Number of labels of a try. None: all of the training part."""


def best_f1(table: pd.DataFrame, threshold: float) -> float:
    kept = (table.sort_values("score", ascending=False)["label"] >= threshold).to_numpy()
    return float((2 * np.cumsum(kept) / (np.arange(1, len(kept) + 1) + kept.sum())).max())


def learning_curve(counts: list[int], seeds: list[list[float]]) -> str:
    """Return the prediction for more labels, by least squares of Spearman over log2 of their number.

    `seeds` holds the values of all seeds for each count.
    """
    x = np.repeat(np.log2(counts), [len(values) for values in seeds])
    y = np.concatenate(seeds)
    slope, start = np.polyfit(x, y, 1)
    free = len(x) - 2
    noise = np.sqrt(((y - start - slope * x) ** 2).sum() / free)
    said = [f"{slope:+.3f} for twice the labels"]
    for count in (2 * counts[-1], 4 * counts[-1]):
        at = np.log2(count)
        error = noise * np.sqrt(1 + 1 / len(x) + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
        half = student.ppf(0.975, free) * error
        said.append(
            f"{count:,}: {start + slope * at:.3f} [{start + slope * at - half:.3f}, {start + slope * at + half:.3f}]"
        )
    return "; ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--tries", nargs="+", default=list(TRIES), choices=list(TRIES))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    edu = load("fineweb_edu", options.data, options.output)
    tasks = [task(edu, options.data, options.output, seed, options.recipe) for seed in options.seeds]
    print("| | " + " | ".join(SHOWN) + " | Spearman beside plain |\n" + "|---" * (len(SHOWN) + 2) + "|")
    plain: list[float] = []
    by_labels: dict[int, list[float]] = {}
    for name in options.tries:
        found = []
        for given in tasks:
            scores, cut = TRIES[name](given), len(given.calibration)
            table = predictions(edu, given.test, scores[cut:], given.calibration, scores[:cut])
            best = best_f1(table, edu.rubric.threshold)
            found.append({**measure(Outcomes.of(table, edu.rubric)), "best_f1": best})
        cells = [[values[metric] for values in found] for metric in SHOWN]
        spread = [np.std(c, ddof=1) if len(c) > 1 else float("nan") for c in cells]
        shown = [f"{np.mean(c):.3f} ± {s:.3f}" for c, s in zip(cells, spread, strict=True)]
        plain = plain or cells[0]
        if name in CURVE:
            by_labels[CURVE[name] or len(tasks[0].train)] = cells[0]
        beside = ", ".join(f"{mine - other:+.3f}" for mine, other in zip(cells[0], plain, strict=True))
        print(f"| {name} | " + " | ".join(shown) + f" | {beside} |", flush=True)
    if len(by_labels) == len(CURVE):
        counts = sorted(by_labels)
        print(f"\nLearning curve: {learning_curve(counts, [by_labels[count] for count in counts])}")


if __name__ == "__main__":
    main()
