"""The request of a filtering run is resolved, and refused if it cannot be used, before anything is done."""

from pathlib import Path

import pandas as pd
import pytest

from assay.errors import InputError
from assay.registry import Registry
from assay.sources import Columns, Period, acquire, corpus_revision, open_source
from tasks.resolve_filtering import ResolvedFiltering, resolve_filtering

DEFAULTS = {
    "model": "champion",
    "text_column": "text",
    "token_budget": None,
    "share": None,
    "recall": None,
    "in_cascade": False,
}
EMPTY = ("time_column", "since", "until", "tokenizer", "options", "scores", "cheap")


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("ASSAY_SCORES", raising=False)
    path = tmp_path / "corpus.parquet"
    pd.DataFrame({"text": ["one", "two"], "when": ["2026-01-01", "2026-02-01"]}).to_parquet(path)
    return path


@pytest.fixture
def registry(tiny_model: Path, tmp_path: Path) -> Registry:
    """A registry with one version, which is the champion."""
    made = Registry(str(tmp_path / "registry"))
    made.ensure_alias("champion", made.register(tiny_model, {}).name, who="test", why="the only one")
    return made


def resolved(source: Path, registry: Registry, **inputs: object) -> ResolvedFiltering:
    """Call the task with the workflow's defaults."""
    given = {**dict.fromkeys(EMPTY, ""), **DEFAULTS, "source": str(source), "registry": registry.url, **inputs}
    return resolve_filtering.task_function(**given)


def test_an_alias_is_resolved_to_the_version_that_keys_the_caches(corpus: Path, registry: Registry) -> None:
    champion = registry.alias("champion")
    assert champion is not None

    by_alias, by_start = resolved(corpus, registry), resolved(corpus, registry, model=champion.version[:6])

    assert by_alias.version == by_start.version == champion.version
    assert by_alias._replace(started=0) == by_start._replace(started=0)


def test_each_output_has_the_value_of_its_option(corpus: Path, registry: Registry, tmp_path: Path) -> None:
    found = resolved(
        corpus,
        registry,
        time_column="when",
        until="2026-01-15",
        token_budget=1_000,
        options="{slice_by: genre, rows_per_part: 100, keep_duplicates: true, id_column: url}",
    )

    assert (found.source, found.revision) == (str(corpus), corpus_revision(str(corpus)))
    assert found.columns == Columns("text", id="url")
    assert found.period == Period("when", "", "2026-01-15")
    assert (found.scoring.slice_by, found.scoring.rows_per_part) == ("genre", 100)
    assert (found.selection.token_budget, found.selection.keep_duplicates) == (1_000, True)
    assert found.registry == registry.url
    assert found.scores == str(tmp_path / "work" / "scores")


def test_equal_runs_have_equal_outputs_wherever_their_options_were_given(corpus: Path, registry: Registry) -> None:
    given = resolved(corpus, registry, share=0.1, time_column="when", since="2026-01-15")
    in_options = resolved(corpus, registry, options='{share: 0.1, time_column: when, since: "2026-01-15"}')
    undated = resolved(corpus, registry, options="{share: 0.1, time_column: when, since: 2026-01-15}")

    assert given._replace(started=0) == in_options._replace(started=0) == undated._replace(started=0)


def test_a_snapshot_is_known_by_its_version(corpus: Path, registry: Registry, tmp_path: Path) -> None:
    snapshot = acquire(open_source(str(corpus)), Columns(), tmp_path / "snapshot")

    assert resolved(tmp_path / "snapshot", registry).revision == snapshot.manifest.version


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"model": "nothing"}, "no version 'nothing'"),
        ({"token_budget": -5}, "a budget of -5 tokens"),
        ({"token_budget": 5, "share": 0.1}, "token_budget and share at once"),
        ({"share": 0.1, "options": "{share: 0.2}"}, "share is 0.1 as an input and 0.2 in options"),
        ({"options": "{rows_per_prt: 5}"}, r"no option 'rows_per_prt' \(options\). Did you mean rows_per_part\?"),
        ({"tokenizer": "nowhere/at-all"}, "nowhere/at-all"),
        ({"since": "2026-01-15"}, "a period without a column of times"),
    ],
)
def test_a_request_that_cannot_be_used_ends_the_run_here(
    corpus: Path, registry: Registry, inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolved(corpus, registry, **inputs)


def test_a_source_that_is_missing_ends_the_run_here(corpus: Path, registry: Registry) -> None:
    with pytest.raises(InputError, match=r"nowhere\.parquet"):
        resolved(corpus.with_name("nowhere.parquet"), registry)


def test_a_cascade_has_a_cheap_model_and_nothing_else_has_one(corpus: Path, registry: Registry) -> None:
    champion = registry.alias("champion")
    assert champion is not None

    given = resolved(corpus, registry, cheap="champion", recall=0.95, in_cascade=True)
    in_options = resolved(corpus, registry, options="{cheap: champion, recall: 0.95}", in_cascade=True)

    assert given._replace(started=0) == in_options._replace(started=0)
    assert (given.cheap, given.cascade.recall) == (champion.version, 0.95)
    assert resolved(corpus, registry).cheap == ""
    with pytest.raises(InputError, match="a cascade without a cheap model"):
        resolved(corpus, registry, in_cascade=True)
    with pytest.raises(InputError, match=r"cheap is 'champion'\. Run workflows/cascade\.py filter_in_cascade"):
        resolved(corpus, registry, options="{cheap: champion}")
    with pytest.raises(InputError, match="no version"):
        resolved(corpus, registry, cheap="gone", in_cascade=True)
