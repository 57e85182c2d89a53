"""A cascade on a real corpus: what is kept, what is rejected and counted, and what is scored again when it changes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_versions import lexical_model

from assay.audit import AuditPlan
from assay.cli.main import main
from assay.errors import InputError
from assay.inference import Scorer
from assay.scoring import Certificate, PartFolder, Scores, ScoringConfig, score_in_cascade
from assay.scoring.cascade import CascadeConfig
from assay.scoring.sidecar import PartFile
from assay.sources import Columns
from assay.storage import write_bytes

CONFIG = ScoringConfig(rows_per_part=400)
WEAK = CascadeConfig(cheap="cheap", recall=0.9, certify_documents=1_000)
Tree = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """A folder with `full` and `cheap` models, and a corpus of 1,800 documents with the numbers of their sentences."""
    folder = tmp_path_factory.mktemp("cascade")
    lexical_model(folder / "full", sample, 400)
    lexical_model(folder / "cheap", sample, 30)
    rows = []
    for number, row in enumerate(sample * 4):
        words = row["text"].split()
        start = len(words) * (number // len(sample)) // 8
        rows.append({"id": f"d{number}", "text": " ".join(words[start:]), "genre": row["genre"]})
    rows[5]["text"], rows[6]["text"] = "", "Это предложение написано на русском языке, а не на английском. " * 9
    pd.DataFrame(rows).to_parquet(folder / "corpus.parquet", index=False)
    return folder


def cascade(place: Path, root: Path, settings: CascadeConfig = WEAK, config: ScoringConfig = CONFIG) -> Scores:
    corpus = str(place / "corpus.parquet")
    return score_in_cascade(corpus, place / "full", place / "cheap", Columns(), str(root), config, settings)


def whole(scores: Scores) -> pd.DataFrame:
    return pd.concat([table for _, table in scores.rows()], ignore_index=True)


@pytest.fixture(scope="module")
def weak(place: Path) -> Scores:
    return cascade(place, place / "scores")


@pytest.fixture(scope="module")
def everything(place: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The scores of all documents by the full model."""
    root = tmp_path_factory.mktemp("all")
    given = ["score", str(place / "corpus.parquet"), "--model", str(place / "full"), "--output", str(root)]
    assert main([*given, "--rows-per-part", "400"]) == 0
    (manifest,) = root.glob("*/_manifest.json")
    return whole(Scores.complete(PartFolder.open(str(manifest.parent))))


def test_what_is_scored_has_the_scores_of_the_full_model_and_the_rest_is_counted(
    place: Path, weak: Scores, everything: pd.DataFrame
) -> None:
    table, certificate = whole(weak), Certificate.of(weak.folder)
    assert certificate is not None
    rejected = (table["reason"] == "rejected").to_numpy()

    assert 300 < rejected.sum() < 1_700
    pd.testing.assert_frame_equal(table[~rejected], everything[~rejected])
    assert table.loc[rejected, ["score", "calibrated", "p_keep", "grade", "keep"]].isna().all(axis=None)
    cheap = Scorer.load(place / "cheap").read([str(text) for text in pd.read_parquet(place / "corpus.parquet")["text"]])
    assert (cheap.score[rejected] < certificate.promised.cut).all()
    assert weak.totals.reasons == {"no text": 1, "rejected": int(rejected.sum())}
    assert weak.totals.rejected == (rejected & table["in_scope"]).sum()
    assert weak.totals.documents == weak.totals.scored + rejected.sum() + 1 == 1_800
    good = (everything["score"] >= certificate.threshold) & everything["in_scope"]
    assert (good & ~rejected).sum() / good.sum() >= 0.9
    stated = certificate.promised.scored
    assert stated == pytest.approx((~rejected).mean(), abs=0.01)


def test_a_selection_states_the_promise_and_takes_what_was_not_rejected(
    place: Path, weak: Scores, tmp_path: Path
) -> None:
    corpus, model, scores = (str(place / name) for name in ("corpus.parquet", "full", "scores"))
    select = ["select", corpus, "--model", model, "--scores", scores, "--keep-duplicates"]

    assert main([*select, "--output", str(tmp_path / "a")]) == 0
    assert main([*select, "--share", "0.05", "--output", str(tmp_path / "b")]) == 0
    assert main([*select, "--share", "0.9", "--output", str(tmp_path / "c")]) == 2

    manifest = json.loads((tmp_path / "a/manifest.json").read_text())
    assert manifest["rows"] == weak.totals.kept
    assert ["not rejected by the cheap model", 1_800 - weak.totals.reasons["rejected"], None] in manifest["provenance"][
        "funnel"
    ]
    assert manifest["provenance"]["mix"] == "documents that a cheap model rejected have no score"
    page = (tmp_path / "a/report.html").read_text()
    assert "with 95% confidence at least 90.0% of the documents of this corpus" in page
    assert "goes down to the score" not in page
    rows = json.loads((tmp_path / "b/manifest.json").read_text())["rows"]
    assert rows == int(np.ceil(0.05 * (weak.totals.in_scope + weak.totals.rejected)))


def test_a_selection_below_the_threshold_is_told_that_the_promise_ends_above_it(
    place: Path, weak: Scores, tmp_path: Path
) -> None:
    corpus, model, scores = (str(place / name) for name in ("corpus.parquet", "full", "scores"))
    share = (weak.totals.in_scope - 5) / (weak.totals.in_scope + weak.totals.rejected)
    select = ["select", corpus, "--model", model, "--scores", scores, "--keep-duplicates", "--share", f"{share:.4f}"]

    assert main([*select, "--output", str(tmp_path / "a")]) == 0

    assert "more of the documents between them may be missing" in (tmp_path / "a/report.html").read_text()


def test_an_audit_counts_what_was_rejected(place: Path, weak: Scores, tmp_path: Path) -> None:
    corpus, model, scores = (str(place / name) for name in ("corpus.parquet", "full", "scores"))
    given = ["--model", model, "--scores", scores]
    assert main(["select", corpus, *given, "--keep-duplicates", "--output", str(tmp_path / "s")]) == 0

    draw = ["audit", str(tmp_path / "audit"), "--selection", str(tmp_path / "s"), "--corpus", corpus]
    assert main([*draw, *given]) == 0

    plan = AuditPlan.read(tmp_path / "audit")
    total = sum(stratum.documents for stratum in plan.strata)
    assert total == weak.totals.in_scope + weak.totals.rejected
    table = whole(weak).set_index("id")
    assert (table.loc[list(plan.ids), "reason"] == "rejected").sum() > 3


def test_a_tighter_cut_is_free_and_a_looser_one_scores_the_difference(
    place: Path, weak: Scores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("*/rows-*")}

    tight = cascade(place, tmp_path / "scores", replace(WEAK, recall=0.8))

    assert tight.folder.plan == weak.folder.plan
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("*/rows-*")} == before

    counted: list[int] = []
    from assay.scoring import decided

    real = decided.assess
    monkeypatch.setattr(
        decided, "assess", lambda scorer, texts, *a, **k: counted.append(len(texts)) or real(scorer, texts, *a, **k)
    )
    loose = cascade(place, tmp_path / "scores", replace(WEAK, recall=0.97))

    assert loose.folder.plan.rejection.after == weak.folder.plan.key
    difference = weak.totals.reasons["rejected"] - loose.totals.reasons["rejected"]
    assert sum(counted) == difference > 0
    fresh = cascade(place, tmp_path / "fresh", replace(WEAK, recall=0.97))
    pd.testing.assert_frame_equal(whole(loose), whole(fresh))


@pytest.mark.full
def test_scores_of_all_documents_are_used_as_they_are(place: Path, tmp_path: Path) -> None:
    given = ["score", str(place / "corpus.parquet"), "--model", str(place / "full"), "--output", str(tmp_path)]
    assert main([*given, "--rows-per-part", "400"]) == 0

    found = cascade(place, tmp_path)

    assert found.folder.plan.rejection is None
    assert found.totals.reasons == {"no text": 1}


def test_lost_parts_are_scored_again_with_the_same_bytes(place: Path, weak: Scores, tmp_path: Path, tree: Tree) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    complete = tree(tmp_path / "scores")
    lost = sorted((tmp_path / "scores" / weak.folder.plan.key).glob("rows-*"))
    (lost[1].parent / "_manifest.json").unlink()
    for path in lost[1:3]:
        path.unlink()

    cascade(place, tmp_path / "scores")

    assert tree(tmp_path / "scores") == complete


@pytest.mark.full
def test_the_threshold_of_a_share_is_read_from_other_documents(place: Path, tmp_path: Path) -> None:
    scores = cascade(place, tmp_path, replace(WEAK, cascade_share=0.15, certify_documents=1_200))

    certificate = Certificate.of(scores.folder)
    assert certificate is not None
    assert certificate.share == 0.15
    assert certificate.documents == 900, "half of a corpus this small"
    given = ["--model", str(place / "full"), "--scores", str(tmp_path), "--keep-duplicates", "--share", "0.15"]
    assert main(["select", str(place / "corpus.parquet"), *given, "--output", str(tmp_path / "s")]) == 0
    assert json.loads((tmp_path / "s/manifest.json").read_text())["provenance"]["cut"] >= certificate.threshold


def test_a_recall_that_the_sample_cannot_promise_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["score", str(place / "corpus.parquet"), "--model", str(place / "full"), "--output", str(tmp_path)]

    assert main([*given, "--cheap", str(place / "cheap"), "--certify-documents", "300"]) == 2

    assert "a recall of 0.99 needs 299 documents above the threshold, and " in capsys.readouterr().err
    assert not list((tmp_path / "certificates").glob("*"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"corpus": "0" * 64}, "this certificate is not what was written"),
        (None, "the certificate of these scores is missing"),
    ],
)
def test_a_certificate_that_is_not_that_of_the_scores_is_refused(
    change: dict | None, says: str, place: Path, weak: Scores, tmp_path: Path
) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    (file,) = (tmp_path / "scores/certificates").glob("*.json")
    if change:
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    else:
        file.unlink()

    with pytest.raises(InputError, match=says):
        Certificate.of(PartFolder.open(str(tmp_path / "scores" / weak.folder.plan.key)))


@pytest.mark.parametrize(("field", "name"), [("corpus", "corpus"), ("model", "model"), ("scores", "cheap scores")])
def test_a_certificate_of_something_else_is_refused(field: str, name: str, weak: Scores, tmp_path: Path) -> None:
    own = Certificate.of(weak.folder)
    assert own is not None and weak.folder.plan.rejection is not None
    other = replace(own, **{field: "0" * len(getattr(own, field))})
    other.write(str(tmp_path))
    plan = replace(weak.folder.plan, rejection=replace(weak.folder.plan.rejection, certificate=other.key))

    with pytest.raises(InputError, match=f"this certificate is of another {name}"):
        Certificate.of(PartFolder.create(str(tmp_path), plan))


def test_scores_of_another_corpus_reject_nothing(place: Path, weak: Scores, tmp_path: Path) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    assert weak.folder.plan.rejection is not None
    cheap = tmp_path / "scores" / weak.folder.plan.rejection.scores
    file = PartFile(PartFolder.open(str(cheap)), weak.folder.plan.parts()[2])
    write_bytes(file.url, b"PAR1 damaged")
    for path in (tmp_path / "scores" / weak.folder.plan.key).glob("rows-*"):
        path.unlink()

    with pytest.raises(InputError, match="this part of the scores cannot be read"):
        cascade(place, tmp_path / "scores")


def test_parts_of_which_all_is_rejected_and_costs_without_what_is_copied(place: Path, tmp_path: Path) -> None:
    from assay.scoring import cost_log

    small = replace(CONFIG, rows_per_part=5)
    first = cascade(place, tmp_path, config=small)

    rejected = [(table["reason"] == "rejected").all() for _, table in first.rows()]
    assert any(rejected) and not all(rejected)
    assert first.totals.rejected == cascade(place, tmp_path / "large").totals.rejected
    before = len(cost_log(str(tmp_path)).history())
    looser = cascade(place, tmp_path, replace(WEAK, recall=0.97), small)
    (entry,) = cost_log(str(tmp_path)).history()[before:]
    assert entry.documents == looser.totals.scored - first.totals.scored > 0
