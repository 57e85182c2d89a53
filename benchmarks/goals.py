"""Measure a recipe on every labelled set, compared with frozen encoder + ridge and TF-IDF + ridge, and across sets.

    python -m benchmarks.goals --data FOLDER --output work/goals [--sets web_pages …] [--seeds 0 1 2] [--recipe best]
        [--pooling mean]

`hybrid` is the mean of the model's score and that of words alone, as the recipe of that name makes it.
fineweb_edu: trained on its train file, measured on its val file. A fifth of the train file, in whole clusters, is left
out of training and gives the cut points. web_pages: five folds of whole clusters, each measured by a model trained on
the other four. The cut points of a fold come from the held-out scores of the other four, so that none of its labels is
used. Other sets: a fifth is measured, another fifth gives the cut points. A seed changes folds, head and order. Scores
are kept in the output folder, and a fit whose scores exist is not repeated. `--transfer` prints the matrix of models
trained on one whole set and measured on others, with one rubric; `--joined` adds models trained on all other sets.
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
from assay.inference.backends import BF16, processor_features
from assay.labels import assign_folds, join_units, validate
from assay.metrics import Difference, Outcomes, measure, paired_bootstrap
from assay.model import Calibration, ModelInfo, Windows, new_model
from assay.progress import say
from assay.rubric import Rubric, load_rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import digest_json
from assay.training import TrainConfig, recipe
from assay.training.lexical import fit_lexical
from assay.training.loop import fit

FOLDS = 5
SHOWN = ("f1", "average_precision", "qwk", "spearman", "mae", "calibration_error")
SYSTEMS = {"model": "**model**", "hybrid": "**hybrid**", "words": "its words alone"}
BASELINES = {"encoder_ridge": "frozen encoder + ridge", "tfidf_ridge": "TF-IDF + ridge"}
FOLDED = ("web_pages",)
EDUCATION = ("sample", "web_pages", "fineweb_edu")


@dataclass(frozen=True)
class Labelled:
    """Distinct documents of a labelled set."""

    name: str
    texts: list[str]
    labels: NDArray[np.float64]
    clusters: NDArray[np.int64]
    rubric: Rubric
    test: NDArray[np.bool_]
    """True for the documents of the test file, shape (n,). All False if the set has no test file."""

    def rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the texts of these rows."""
        return [self.texts[row] for row in rows]


PATHS = {
    "sample": ["sample/documents.jsonl"],
    "web_pages": ["web_pages/labels.parquet"],
    "fineweb_edu": ["fineweb_edu/train.parquet", "fineweb_edu/val.parquet"],
    "fineweb_legal": ["fineweb_legal"],
    "onestopenglish": ["onestopenglish"],
}


def load(name: str, data: Path, work: Path) -> Labelled:
    """Return a set as `assay train` reads it: checked, equal texts merged, near-duplicates and groups joined."""
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
    """Return the scores of the rows `others` by a model of the rows `train`, from the folder `place` if they exist."""
    name = digest_json({"set": of.name, "train": train.tolist(), "others": others.tolist(), "config": asdict(config)})
    kept = place / f"{of.name}-{name[:16]}.npy"
    if not kept.exists():
        info = ModelInfo(config.encoder, of.rubric, config.windows)
        model = fit(of.rows(train), of.labels[train], info, config).model
        np.save(kept, Scorer(model).score(of.rows(others))["score"].to_numpy())
    return np.load(kept)


def words_scores(of: Labelled, train: NDArray[np.int64], others: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return the scores of the rows `others` by words alone."""
    info = ModelInfo("", of.rubric, recipe("lexical").windows, kind="lexical")
    model = fit_lexical(of.rows(train), of.labels[train], info, seed=seed).model
    return Scorer(model).read(of.rows(others)).score


def ridge_scores(
    of: Labelled, train: NDArray[np.int64], others: NDArray[np.int64], frozen: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float64]]:
    """Return the scores by each baseline. `frozen` holds the features of every text by the untrained encoder."""

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
    """Return the predictions of `rows`, with cut points from the rows `known` and their held-out scores `of_known`."""
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
    """Return the parts: the test file or a fifth in whole clusters is measured, another fifth gives the cut points."""
    fitting, test = np.flatnonzero(~of.test), np.flatnonzero(of.test)
    # A near-copy of a test document is in no training part.
    fitting = fitting[~np.isin(of.clusters[fitting], of.clusters[test])]
    fold = assign_folds(of.labels[fitting], of.clusters[fitting], of.rubric.threshold, FOLDS, seed)
    if not len(test):
        fitting, test, fold = fitting[fold != 1], fitting[fold == 1], fold[fold != 1]
    return Parts(fitting[fold != 0], fitting[fold == 0], test)


def frozen_features(of: Labelled, config: TrainConfig, place: Path) -> NDArray[np.float32]:
    """Return the features of all texts by the untrained encoder, from the folder `place` if they exist."""
    windows = config.windows
    kept = place / f"{of.name}-frozen-{digest_json({'encoder': config.encoder, 'windows': asdict(windows)})[:16]}.npy"
    if not kept.exists():
        np.save(kept, Scorer(new_model(ModelInfo(config.encoder, of.rubric, windows), seed=0)).embed(of.texts))
    return np.load(kept)


def by_system(of: Labelled, config: TrainConfig, place: Path) -> dict[str, pd.DataFrame]:
    """Return the predictions of the measured documents by the model and the baselines, for one seed."""
    frozen = dict(zip(of.texts, frozen_features(of, config, place), strict=True))

    def scores(train: NDArray[np.int64], others: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        alone, words = fitted_scores(of, train, others, config, place), words_scores(of, train, others, config.seed)
        return {
            "model": alone,
            "hybrid": (alone + words) / 2,
            "words": words,
            **ridge_scores(of, train, others, frozen),
        }

    threshold, everything = of.rubric.threshold, np.arange(len(of.texts))
    if of.name not in FOLDED:
        part = parts_of(of, config.seed)
        found = scores(part.train, np.concatenate([part.calibration, part.test]))
        cut = len(part.calibration)
        return {name: predictions(of, part.test, s[cut:], part.calibration, s[:cut]) for name, s in found.items()}
    fold = assign_folds(of.labels, of.clusters, threshold, FOLDS, config.seed)
    held_out = {name: np.zeros(len(of.texts)) for name in (*SYSTEMS, *BASELINES)}
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
    """Return the metrics as mean ± standard deviation over seeds, and the difference to each baseline for each seed."""
    lines = ["| | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for system, title in {**SYSTEMS, **BASELINES}.items():
        values = [measure(Outcomes.of(seed[system], of.rubric)) for seed in seeds]
        cells = [[value[name] for value in values] for name in SHOWN]
        shown = [f"{np.mean(c):.3f} ± {np.std(c, ddof=1) if len(c) > 1 else float('nan'):.3f}" for c in cells]
        lines.append(f"| {title} | " + " | ".join(shown) + " |")
    gains = []
    pairs = {
        (mine, other): f"{mine} beside {title}" for other, title in BASELINES.items() for mine in ("model", "hybrid")
    }
    for (mine, other), title in {**pairs, ("hybrid", "model"): "hybrid beside model"}.items():
        found = [paired_bootstrap(seed[mine], seed[other], of.rubric) for seed in seeds]
        for name in ("spearman", "qwk", "average_precision", "f1"):
            shown = ", ".join(gain(d[name]) for d in found)
            gains.append(f"| {title} | {name} | {shown} |")
    kept = int((seeds[0]["model"]["label"] >= of.rubric.threshold).sum())
    head = ["| | metric | better by, for each seed [95 % interval] |", "|---|---|---|"]
    return "\n".join([*lines, "", f"{len(seeds[0]['model'])} documents, {kept} kept.", "", *head, *gains])


def gain(found: Difference) -> str:
    """Return a difference as text, without an interval if there are too few clusters for one."""
    bounds = "" if found.low is None else f" [{found.low:+.3f}, {found.high:+.3f}]"
    return f"{found.value:+.3f}{bounds}"


def rounding(of: Labelled, seeds: list[dict[str, pd.DataFrame]]) -> str:
    """Return a row that compares, for the same scores, grades by cut points and by rounding the expected label."""
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
    """Return the number of training documents, and system -> measured set -> Spearman on all of its documents.

    There is one Spearman for each seed, and one in all for the baselines, which have no seed. Near-copies of a measured
    document are left out of training. `frozen` is that of `ridge_scores`.
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
    alone = [fitted_scores(both, train, others, config, place) for config in configs]
    words = [words_scores(both, train, others, config.seed) for config in configs]
    hybrid = [(model + other) / 2 for model, other in zip(alone, words, strict=True)]
    scores = {SYSTEMS["model"]: alone, SYSTEMS["hybrid"]: hybrid, SYSTEMS["words"]: words}
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
    """Return a table of Spearman as mean ± standard deviation, a row for each training set.

    With `joined`, add a row for training on all sets but the measured one.
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
    parser.add_argument("--encoder", help="encoder instead of the recipe's; a model folder continues from its training")
    parser.add_argument("--windows", default="", help="windows instead of the recipe's, as TOKENSxCOUNT, such as 256x4")
    parser.add_argument("--pooling", default="first", choices=["first", "mean"])
    parser.add_argument("--transfer", action="store_true")
    parser.add_argument("--joined", action="store_true", help="with --transfer, also train on all other sets together")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    sets = {name: load(name, options.data, options.output) for name in options.sets}

    def config(seed: int) -> TrainConfig:
        windows = Windows(*map(int, options.windows.split("x"))) if options.windows else None
        # Elsewhere bf16 is emulated, and many times slower than fp32.
        precision = "bf16" if processor_features() & BF16 else "fp32"
        changes = {"encoder": options.encoder, "precision": precision, "seed": seed, "windows": windows}
        return recipe(options.recipe, pooling=options.pooling, **changes)

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
