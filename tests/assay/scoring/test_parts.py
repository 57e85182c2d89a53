"""Parts: row ranges of a snapshot, one immutable file each, the same whichever process scores them."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import InputError
from assay.inference import Limits, Scorer, token_counter
from assay.scoring import Part, PartFolder, Scores, ScoringConfig, ScoringJob, find_scores, score_parts
from assay.scoring.corpus import plan_scoring
from assay.scoring.histogram import Bins
from assay.scoring.plan import Plan
from assay.scoring.run import PartScorer
from assay.scoring.sidecar import PartFile, Sidecar
from assay.storage import Snapshot, write_snapshot


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Snapshot:
    rows = [{"id": row["id"], "text": row["text"], "genre": row["genre"][:1]} for row in sample[:90]]
    rows[17]["text"], rows[40]["text"] = "", "again " * 50_000
    table = pa.Table.from_pylist(rows).to_batches()
    return write_snapshot(tmp_path_factory.mktemp("corpus") / "s", table, provenance={}, rows_per_shard=37)


@pytest.fixture(scope="module")
def scorer(tiny_model: Path) -> Scorer:
    return Scorer.load(tiny_model)


def score_here(folder: PartFolder, parts: Sequence[Part], corpus: Snapshot, scorer: Scorer) -> int:
    opened = PartScorer(folder, corpus, scorer, token_counter(folder.plan.config.tokenizer))
    return score_parts(ScoringJob(folder.url, corpus.url, Path("not opened again")), parts, scorer=opened)


def score(corpus: Snapshot, model: Path, scorer: Scorer, root: Path, config: ScoringConfig) -> Scores:
    tokens = token_counter(config.tokenizer)
    folder = plan_scoring(corpus, model, tokens, config, str(root))
    score_here(folder, folder.missing(), corpus, scorer)
    return Scores.complete(folder)


def test_parts_cover_every_row_once_across_shards(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    scores = score(corpus, tiny_model, scorer, tmp_path, ScoringConfig(rows_per_part=25, slice_by="genre"))

    parts = list(scores.rows())
    assert [(part.start, part.stop) for part, _ in parts] == [(0, 25), (25, 50), (50, 75), (75, 90)]
    table = pd.concat([rows for _, rows in parts], ignore_index=True)
    Sidecar.validate(table)
    assert table["id"].tolist() == [name for batch in corpus.batches(["id"]) for name in batch[0].to_pylist()]
    assert table["reason"].fillna("").tolist() == [{17: "no text", 40: "repetitive"}.get(n, "") for n in range(90)]
    expected = scorer.score([text for batch in corpus.batches(["text"]) for text in batch[0].to_pylist()])
    scored = table["reason"].isna().to_numpy()
    np.testing.assert_allclose(table["score"][scored], expected["score"][scored], atol=1e-5)

    assert scores.totals.documents == 90
    assert scores.totals.scored == 88
    assert scores.totals.reasons == {"no text": 1, "repetitive": 1}
    assert scores.totals.budget_tokens == table.loc[scored & table["in_scope"], "budget_tokens"].sum()
    counts = scores.histogram.total()
    assert counts.documents.sum() == scores.totals.in_scope
    assert counts.tokens.sum() == scores.totals.budget_tokens
    assert set(scores.histogram.slices) == set(table.loc[scored & table["in_scope"], "slice"])


def test_existing_parts_are_not_scored_again_and_lost_ones_are(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    config, tokens = ScoringConfig(rows_per_part=30), token_counter()
    folder = plan_scoring(corpus, tiny_model, tokens, config, str(tmp_path))
    assert score_here(folder, folder.missing()[:2], corpus, scorer) == 2
    with pytest.raises(InputError, match="1 of 3 parts are not scored yet"):
        Scores.complete(folder)
    assert [part.start for part in folder.missing()] == [60]

    assert score_here(folder, folder.plan.parts(), corpus, scorer) == 1
    Scores.complete(folder)
    before = {path.name: path.read_bytes() for path in Path(folder.url).iterdir()}
    lost = Path(folder.url) / folder.plan.parts()[1].name
    lost.unlink()

    assert score_here(folder, folder.missing(), corpus, scorer) == 1
    assert {path.name: path.read_bytes() for path in Path(folder.url).iterdir()} == before


@pytest.mark.full
def test_several_processes_write_the_same_bytes_as_one(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    config = ScoringConfig(rows_per_part=20, slice_by="genre")
    alone = score(corpus, tiny_model, scorer, tmp_path / "alone", config)
    folder = plan_scoring(corpus, tiny_model, token_counter(), config, str(tmp_path / "together"))
    job = ScoringJob(folder.url, corpus.url, tiny_model)
    assert score_parts(job, folder.plan.parts()[1:2]) == 1, "one part needs one process"

    assert score_parts(job, folder.plan.parts(), processes=2) == 4, "of five parts one exists"

    assert Scores.complete(folder).totals == alone.totals
    files = [{path.name: path.read_bytes() for path in Path(at.url).iterdir()} for at in (alone.folder, folder)]
    assert files[0] == files[1]
    with pytest.raises(InputError, match="0 processes"):
        score_parts(job, folder.plan.parts(), processes=0)


@pytest.mark.full
def test_what_a_process_cannot_read_ends_all_of_them_with_its_message(
    corpus: Snapshot, tiny_model: Path, tmp_path: Path
) -> None:
    folder = plan_scoring(corpus, tiny_model, token_counter(), ScoringConfig(rows_per_part=20), str(tmp_path))

    with pytest.raises(InputError, match=r"no model here|assay.json"):
        score_parts(ScoringJob(folder.url, corpus.url, tmp_path / "gone"), folder.missing(), processes=2)
    assert len(folder.missing()) == 5


def test_another_model_corpus_or_setting_is_another_plan(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    tokens, other = token_counter(), token_counter(str(tiny_model))
    assert other.name.startswith("model sha256:")
    configs = [ScoringConfig(), ScoringConfig(rows_per_part=7), ScoringConfig(limits=Limits(characters=99))]

    keys = {plan_scoring(corpus, tiny_model, tokens, config, str(tmp_path)).plan.key for config in configs}
    keys.add(plan_scoring(corpus, tiny_model, other, ScoringConfig(tokenizer=str(tiny_model)), str(tmp_path)).plan.key)

    assert len(keys) == 4
    for key in keys:
        assert PartFolder.open(str(tmp_path / key)).plan.key == key


def test_budget_tokens_are_those_of_the_named_tokenizer(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    scores = score(corpus, tiny_model, scorer, tmp_path, ScoringConfig(tokenizer=str(tiny_model)))
    (_, table), *_ = scores.rows()
    assert (table["budget_tokens"] == table["tokens"]).all()

    estimate = score(corpus, tiny_model, scorer, tmp_path, ScoringConfig())
    assert "estimate" in estimate.folder.plan.tokenizer
    (_, table), *_ = estimate.rows()
    text = corpus.take([0])[0]
    assert table["budget_tokens"][0] == -(-len(text.encode()) // 4)

    with pytest.raises(InputError, match="more than one set of"):
        find_scores(str(tmp_path), corpus.manifest.version)
    with pytest.raises(InputError, match="no complete"):
        find_scores(str(tmp_path), "0" * 64)
    with pytest.raises(InputError, match="Pin a revision"):
        token_counter("owner/name")
    with pytest.raises(InputError, match="no column 'topic'"):
        score(corpus, tiny_model, scorer, tmp_path, ScoringConfig(slice_by="topic"))


def test_a_damaged_part_and_a_missing_shard_are_named(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    scores = score(corpus, tiny_model, scorer, tmp_path, ScoringConfig())
    part = Path(scores.folder.url) / Part(0, 90).name
    part.write_bytes(part.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"rows-000000000000-000000000090.parquet.*Remove it, and score again"):
        Scores.complete(scores.folder)

    copy = write_snapshot(tmp_path / "copy", corpus.batches(), provenance={}, rows_per_shard=30)
    (tmp_path / "copy" / "part-00001.parquet").unlink()
    folder = plan_scoring(copy, tiny_model, token_counter(), ScoringConfig(rows_per_part=30), str(tmp_path))
    with pytest.raises(InputError, match=r"shard part-00001.parquet is missing"):
        score_here(folder, folder.missing(), copy, scorer)
    assert not [path for path in Path(folder.url).iterdir() if path.name.startswith(".")]
    assert all(json.loads((Path(folder.url) / "_plan.json").read_text())[key] for key in ("snapshot", "model"))


def test_a_part_of_other_rows_or_of_another_plan_is_refused(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    config = ScoringConfig(rows_per_part=30)
    scores = score(corpus, tiny_model, scorer, tmp_path, config)
    other = score(corpus, tiny_model, scorer, tmp_path, replace(config, limits=Limits(characters=99)))
    folder = Path(scores.folder.url)
    first, second, _ = (folder / part.name for part in scores.folder.plan.parts())
    whole = second.read_bytes()

    for strange in (first, Path(other.folder.url) / second.name):
        second.write_bytes(strange.read_bytes())
        with pytest.raises(InputError, match=r"cannot be read: it has 30 rows of .*Remove it, and score again"):
            Scores.complete(scores.folder)
        with pytest.raises(InputError, match="it has 30 rows of"):
            list(scores.rows(["score"]))

    second.write_bytes(whole)
    assert Scores.complete(scores.folder).totals == scores.totals


def test_a_flipped_bit_of_a_part_never_gives_other_scores(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    scores = score(corpus, tiny_model, scorer, tmp_path, ScoringConfig(rows_per_part=30))
    part = scores.folder.plan.parts()[0]
    file, path = PartFile(scores.folder, part), Path(scores.folder.url) / part.name
    data, rows, footer = path.read_bytes(), file.read(), file.read_footer().totals

    refused = 0
    for bit in random.Random(0).sample(range(8 * len(data)), 200):
        damaged = bytearray(data)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        path.write_bytes(damaged)
        try:
            read, counted = file.read(), file.read_footer().totals
        except InputError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            pd.testing.assert_frame_equal(read, rows)
            assert counted == footer
    assert refused > 150, "the others are bits that no reader uses, such as statistics of a page"


def test_parts_without_checksums_are_read_and_counted(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = score(corpus, tiny_model, scorer, tmp_path, ScoringConfig(rows_per_part=30))
    assert "checksums" not in capsys.readouterr().err
    path = Path(scores.folder.url) / scores.folder.plan.parts()[1].name
    found = pq.ParquetFile(path)
    counts = json.loads(found.metadata.metadata[b"assay"])
    del counts["of"]
    old = found.read().replace_schema_metadata({"assay": json.dumps(counts)})
    pq.write_table(old, path, compression="zstd")

    assert Scores.complete(scores.folder).totals == scores.totals
    assert "1 of 3 parts have no checksums" in capsys.readouterr().err


def test_a_corpus_that_was_replaced_is_not_scored_by_the_plan_of_the_old_one(
    corpus: Snapshot, tiny_model: Path, scorer: Scorer, tmp_path: Path
) -> None:
    folder = plan_scoring(corpus, tiny_model, token_counter(), ScoringConfig(), str(tmp_path))
    other = write_snapshot(tmp_path / "other", corpus.batches(), provenance={}, rows_per_shard=11)

    with pytest.raises(InputError, match=f"was to be scored.*{other.url}"):
        score_here(folder, folder.missing(), other, scorer)
    assert folder.missing()


def test_a_plan_of_whole_bounds_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The bytes of the parts and the key depend on how the bounds of the bins are written: -5, not -5.0."""
    plan = Plan("s" * 64, 90, "m" * 64, "a count", Bins(-5, 10), ScoringConfig(limits=Limits(characters=99)))
    folder = PartFolder.create(str(tmp_path), plan)

    reopened = PartFolder.open(folder.url).plan

    assert reopened == plan
    assert reopened.key == plan.key
    assert json.dumps(reopened.to_json()) == json.dumps(plan.to_json())


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    plan = Plan("s" * 64, 90, "m" * 64, "a count", Bins(-5.0, 10), ScoringConfig())
    path = Path(PartFolder.create(str(tmp_path), plan).url) / "_plan.json"
    fields = json.loads(path.read_text())
    cases = {
        "bins: field required": {name: value for name, value in fields.items() if name != "bins"},
        "config.rows_per_part: input should be a valid integer": fields | {"config": {"rows_per_part": "many"}},
        "config.parts: unexpected keyword argument": fields | {"config": {"parts": 1}},
    }
    for complaint, damaged in cases.items():
        path.write_text(json.dumps(damaged))
        with pytest.raises(InputError, match=f"this plan cannot be read: {complaint}"):
            PartFolder.open(str(path.parent))
    path.write_text(json.dumps(fields | {"config": fields["config"] | {"rows_per_part": 0}}))
    with pytest.raises(InputError, match="rows_per_part is 0"):
        PartFolder.open(str(path.parent))


@pytest.mark.parametrize(
    "settings", [{"rows_per_part": 0}, {"limits": (0, 0.1, 2)}, {"limits": (1, 1.1, 2)}, {"limits": (1, 0.1, 1)}]
)
def test_nonsense_settings_are_refused(settings: dict) -> None:
    with pytest.raises(InputError):
        ScoringConfig(**{key: Limits(*value) if key == "limits" else value for key, value in settings.items()})


def test_another_process_must_pay_for_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.scoring import run

    monkeypatch.setattr(run, "usable_cores", lambda: 8)

    assert [run.worthwhile_processes(documents, "encoder") for documents in (0, 1_999, 2_000, 10**9)] == [1, 1, 2, 8]
    assert [run.worthwhile_processes(documents, "lexical") for documents in (2_000, 50_000, 10**9)] == [1, 2, 8]
