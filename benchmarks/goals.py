"""What a recipe reaches on every labelled set, beside frozen encoder + ridge and TF-IDF + ridge, and on other sets.

    python -m benchmarks.goals --data FOLDER --output work/goals [--sets web_pages …] [--seeds 0 1 2] [--recipe best]

fineweb_edu: learned on its train file, measured on its val file; a fifth of the train file, whole clusters, is left out
of learning and chooses the cut points. web_pages: five folds of whole clusters, each measured by a model that has
learned from the other four; cut points for a fold come from the scores that the other four got in the same way, so that
none of its labels is in them. The others: a fifth is measured on, another chooses the cut points. A seed changes folds,
head and order. Scores are kept in the output folder; a fit that is
there already is not repeated. `--transfer` prints the matrix of models trained on one whole set and measured on
others, all by one rubric; with `--joined`, of models trained on all the others together, too.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from assay.dedup import near_duplicate_clusters
from assay.evaluation import baseline_scores
from assay.inference import Scorer
from assay.labels import assign_folds, join_units, validate
from assay.metrics import Difference, Outcomes, measure, paired_bootstrap
from assay.model import Calibration, ModelInfo, Windows, new_model
from assay.progress import say
from assay.rubric import Rubric, load_rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import digest_json
from assay.training import TrainConfig, fit, recipe

FOLDS = 5
SHOWN = ("f1", "average_precision", "qwk", "spearman", "mae", "calibration_error")
BASELINES = {"encoder_ridge": "frozen encoder + ridge", "tfidf_ridge": "TF-IDF + ridge"}
FOLDED = ("web_pages",)
EDUCATION = ("sample", "web_pages", "fineweb_edu")


@dataclass(frozen=True)
class Labelled:
    """One labelled set: its distinct documents, and which of them are only measured on."""

    name: str
    texts: list[str]
    labels: NDArray[np.float64]
    clusters: NDArray[np.int64]
    rubric: Rubric
    test: NDArray[np.bool_]
    """Of shape (n,); nothing is set where there is no test file."""

    def rows(self, rows: NDArray[np.int64]) -> list[str]:
        return [self.texts[row] for row in rows]


PATHS = {
    "sample": ["sample/documents.jsonl"],
    "web_pages": ["web_pages/labels.parquet"],
    "fineweb_edu": ["fineweb_edu/train.parquet", "fineweb_edu/val.parquet"],
    "fineweb_legal": ["fineweb_legal"],
    "onestopenglish": ["onestopenglish"],
}


def load(name: str, data: Path, work: Path) -> Labelled:
    """As `assay train` reads it: checked, equal texts merged, near-duplicates and groups joined."""
    group = "article" if name == "onestopenglish" else ""
    texts: list[str] = []
    tables = []
    for number, path in enumerate(PATHS[name]):
        columns = Columns(label="label", group=group)
        snapshot = acquire(open_source(str(data / path)), columns, work / f"{name}-{number}", replace=True)
        rubric = RUBRICS[name]
        documents = validate(snapshot, rubric).documents
        texts += snapshot.take(documents["row"])
        tables.append(documents.assign(file=number))
    table = pd.concat(tables, ignore_index=True)
    clusters = join_units(near_duplicate_clusters(texts, progress=False), table["group"] if group else None)
    return Labelled(name, texts, table["label"].to_numpy(), clusters, rubric, table["file"].to_numpy() == 1)


RUBRICS = {
    **{name: load_rubric("education") for name in EDUCATION},
    "fineweb_legal": Rubric("legal", 0, 5, 3),
    "onestopenglish": Rubric("level", 0, 2, 2),
}


def fitted_scores(
    of: Labelled, train: NDArray[np.int64], others: NDArray[np.int64], config: TrainConfig, place: Path
) -> NDArray[np.float64]:
    """Scores of the rows `others` by a model of the rows `train`, from the place where they are kept or made now."""
    name = digest_json({"set": of.name, "train": train.tolist(), "others": others.tolist(), "config": asdict(config)})
    kept = place / f"{of.name}-{name[:16]}.npy"
    if not kept.exists():
        info = ModelInfo(config.encoder, of.rubric, config.windows)
        model = fit(of.rows(train), of.labels[train], info, config).model
        np.save(kept, Scorer(model).score(of.rows(others))["score"].to_numpy())
    return np.load(kept)


def ridge_scores(
    of: Labelled, train: NDArray[np.int64], others: NDArray[np.int64], frozen: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float64]]:
    """The same by the baselines. `frozen`: features of every text by the encoder as it is."""

    def embed(texts: list[str]) -> NDArray[np.float32]:
        return np.stack([frozen[text] for text in texts])

    found = baseline_scores(of.rows(train), of.labels[train], of.rows(others), embed)  # type: ignore[arg-type]
    return {name: found[name] for name in BASELINES}


def predictions(
    of: Labelled,
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    known: NDArray[np.int64],
    of_known: NDArray[np.float64],
) -> pd.DataFrame:
    """Predictions of `rows`, with cut points from the rows `known` and their held-out scores."""
    rubric = of.rubric
    fitted = Calibration.fit(of_known, of.labels[known], low=rubric.low, high=rubric.high, threshold=rubric.threshold)
    meaning = fitted.apply(scores)
    return pd.DataFrame(
        {
            "id": [str(row) for row in rows],
            "cluster": of.clusters[rows],
            "label": of.labels[rows],
            "score": scores,
            "calibrated": meaning.calibrated,
            "p_keep": meaning.p_keep,
            "grade": meaning.grade,
            "keep": meaning.keep,
        }
    )


@dataclass(frozen=True)
class Parts:
    """Rows of a set that is not folded."""

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]


def parts_of(of: Labelled, seed: int) -> Parts:
    """The test file's documents, or a fifth in whole clusters; another fifth for the cut points."""
    fitting, test = np.flatnonzero(~of.test), np.flatnonzero(of.test)
    # A cluster in both files is learned from by nobody.
    fitting = fitting[~np.isin(of.clusters[fitting], of.clusters[test])]
    fold = assign_folds(of.labels[fitting], of.clusters[fitting], of.rubric.threshold, FOLDS, seed)
    if not len(test):
        fitting, test, fold = fitting[fold != 1], fitting[fold == 1], fold[fold != 1]
    return Parts(fitting[fold != 0], fitting[fold == 0], test)


def by_system(of: Labelled, config: TrainConfig, place: Path) -> dict[str, pd.DataFrame]:
    """Predictions of the measured documents by the model and the baselines, of one seed."""
    info = ModelInfo(config.encoder, of.rubric, config.windows)
    frozen = dict(zip(of.texts, Scorer(new_model(info, seed=0)).embed(of.texts), strict=True))

    def scores(train: NDArray[np.int64], others: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        return {
            "model": fitted_scores(of, train, others, config, place),
            **ridge_scores(of, train, others, frozen),
        }

    threshold, everything = of.rubric.threshold, np.arange(len(of.texts))
    if of.name not in FOLDED:
        part = parts_of(of, config.seed)
        found = scores(part.train, np.concatenate([part.calibration, part.test]))
        cut = len(part.calibration)
        return {name: predictions(of, part.test, s[cut:], part.calibration, s[:cut]) for name, s in found.items()}
    fold = assign_folds(of.labels, of.clusters, threshold, FOLDS, config.seed)
    held_out = {name: np.zeros(len(of.texts)) for name in ("model", *BASELINES)}
    for number in range(FOLDS):
        say(f"{of.name}, seed {config.seed}, fold {number + 1} of {FOLDS}")
        for name, found in scores(everything[fold != number], everything[fold == number]).items():
            held_out[name][fold == number] = found
    tables = {}
    for name, score in held_out.items():
        parts = []
        for number in range(FOLDS):
            inside, outside = everything[fold == number], everything[fold != number]
            parts.append(predictions(of, inside, score[inside], outside, score[outside]))
        tables[name] = pd.concat(parts, ignore_index=True)
    return tables


def table(of: Labelled, seeds: list[dict[str, pd.DataFrame]]) -> str:
    """Mean ± standard deviation over seeds; and by how much the model is better, with the scores of seeds averaged."""
    lines = ["| | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for system in ("model", *BASELINES):
        values = [measure(Outcomes.of(seed[system], of.rubric)) for seed in seeds]
        cells = [[value[name] for value in values] for name in SHOWN]
        shown = [f"{np.mean(c):.3f} ± {np.std(c, ddof=1) if len(c) > 1 else float('nan'):.3f}" for c in cells]
        lines.append(f"| {BASELINES.get(system, '**model**')} | " + " | ".join(shown) + " |")
    gains = []
    for baseline, title in BASELINES.items():
        found = [paired_bootstrap(seed["model"], seed[baseline], of.rubric) for seed in seeds]
        for name in ("spearman", "qwk", "average_precision", "f1"):
            shown = ", ".join(gain(d[name]) for d in found)
            gains.append(f"| {title} | {name} | {shown} |")
    kept = int((seeds[0]["model"]["label"] >= of.rubric.threshold).sum())
    head = ["| beside | metric | better by, for each seed [95 % interval] |", "|---|---|---|"]
    return "\n".join([*lines, "", f"{len(seeds[0]['model'])} documents, {kept} kept.", "", *head, *gains])


def gain(found: Difference) -> str:
    """In figures; without an interval where there are too few clusters for one."""
    bounds = "" if found.low is None else f" [{found.low:+.3f}, {found.high:+.3f}]"
    return f"{found.value:+.3f}{bounds}"


def rounding(of: Labelled, seeds: list[dict[str, pd.DataFrame]]) -> str:
    """The same scores, graded by cut points and by rounding the expected label."""
    cells = []
    for seed in seeds:
        cut = seed["model"]
        rounded = np.clip(np.floor(cut["calibrated"] + 0.5), of.rubric.low, of.rubric.high).astype(int)
        other = cut.assign(grade=rounded, keep=cut["calibrated"] >= of.rubric.threshold)
        by = [measure(Outcomes.of(each, of.rubric)) for each in (cut, other)]
        cells.append([by[0]["qwk"], by[1]["qwk"], by[0]["f1"], by[1]["f1"], by[0]["macro_f1"], by[1]["macro_f1"]])
    mean = np.nanmean(np.array(cells), axis=0)
    return f"| {of.name} | " + " | ".join(f"{value:.3f}" for value in mean) + " |"


def transferred(
    learn: dict[str, Labelled],
    ask: dict[str, Labelled],
    configs: list[TrainConfig],
    place: Path,
    frozen: dict[str, NDArray[np.float32]],
) -> tuple[int, dict[str, dict[str, list[float]]]]:
    """Documents learned from; system -> set asked -> Spearman on all of its documents, for each seed where it matters.

    A near copy of a document that is asked is learned from by nobody. `frozen`: as of `ridge_scores`.
    """
    texts = [text for of in (*learn.values(), *ask.values()) for text in of.texts]
    known = sum(len(of.texts) for of in learn.values())
    clusters = near_duplicate_clusters(texts, progress=False)
    tested = np.concatenate([of.test for of in learn.values()])
    chosen = np.flatnonzero(~tested & ~np.isin(clusters[:known], clusters[known:]))
    asked = len(texts) - known
    both = Labelled(
        f"{'-'.join(learn)}-to-{'-'.join(ask)}",
        [*(texts[row] for row in chosen), *texts[known:]],
        np.concatenate([np.concatenate([of.labels for of in learn.values()])[chosen], np.zeros(asked)]),
        np.concatenate([clusters[chosen], clusters[known:]]),
        next(iter(learn.values())).rubric,
        np.arange(len(chosen) + asked) >= len(chosen),
    )
    train, others = np.flatnonzero(~both.test), np.flatnonzero(both.test)
    scores = {"**model**": [fitted_scores(both, train, others, config, place) for config in configs]}
    for baseline, found in ridge_scores(both, train, others, frozen).items():
        scores[BASELINES[baseline]] = [found]
    ends = np.cumsum([len(of.texts) for of in ask.values()])[:-1]
    return len(chosen), {
        system: {
            name: [float(spearmanr(part, of.labels)[0]) for part in parts]
            for (name, of), *parts in zip(ask.items(), *(np.split(seed, ends) for seed in seeds), strict=True)
        }
        for system, seeds in scores.items()
    }


def transfer(sets: dict[str, Labelled], configs: list[TrainConfig], place: Path, *, joined: bool) -> str:
    """A row for what is learned from each set; with `joined`, from all but the one that is asked, too.

    Mean ± standard deviation.
    """
    lines = ["| trained on | | " + " | ".join(sets) + " |", "|---" * (len(sets) + 2) + "|"]

    def row(title: str, system: str, found: dict[str, list[float]]) -> str:
        cells = []
        for name in sets:
            values = found.get(name, [])
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}" if values else "–")
        return f"| {title} | {system} | " + " | ".join(cells) + " |"

    first = next(iter(sets.values()))
    scorer = Scorer(new_model(ModelInfo(configs[0].encoder, first.rubric, configs[0].windows), seed=0))
    texts = [text for of in sets.values() for text in of.texts]
    frozen = dict(zip(texts, scorer.embed(texts), strict=True))
    together: dict[str, dict[str, list[float]]] = {}
    for name, of in sets.items():
        others = {other: each for other, each in sets.items() if other != name}
        count, systems = transferred({name: of}, others, configs, place, frozen)
        lines += [row(f"{name} ({count:,})", system, found) for system, found in systems.items()]
        if joined:
            for system, found in transferred(others, {name: of}, configs, place, frozen)[1].items():
                together.setdefault(system, {}).update(found)
    return "\n".join([*lines, *(row("the others together", system, found) for system, found in together.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(PATHS), choices=list(PATHS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--encoder", help="instead of the recipe's: a model folder goes on from what it has learned")
    parser.add_argument("--windows", default="", help="instead of the recipe's: TOKENSxCOUNT, such as 256x4")
    parser.add_argument("--transfer", action="store_true")
    parser.add_argument("--joined", action="store_true", help="with --transfer: from all the other sets together, too")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    sets = {name: load(name, options.data, options.output) for name in options.sets}

    def config(seed: int) -> TrainConfig:
        windows = Windows(*map(int, options.windows.split("x"))) if options.windows else None
        return recipe(options.recipe, encoder=options.encoder, precision="bf16", seed=seed, windows=windows)

    if options.transfer:
        print(transfer(sets, [config(seed) for seed in options.seeds], options.output, joined=options.joined))
        return
    graded = []
    for name, of in sets.items():
        seeds = [by_system(of, config(seed), options.output) for seed in options.seeds]
        print(f"### {name}\n\n{table(of, seeds)}\n", flush=True)
        graded.append(rounding(of, seeds))
    print("| set | QWK: cut points | rounded | F1: cut points | rounded | macro-F1: cut points | rounded |")
    print("|---" * 7 + "|\n" + "\n".join(graded))
    (options.output / "recipe.json").write_text(json.dumps(asdict(config(0)), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
