"""The mix of a corpus: another one is found, estimated under label shift, and refused for a promised target."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from assay.errors import InputError
from assay.model import Calibration, Profile
from assay.rubric import Rubric
from assay.scoring import Scores
from assay.scoring.histogram import Bins, TokenHistogram
from assay.scoring.sidecar import Totals
from assay.selection import SelectionRequest, mix_sentences
from assay.selection.choose import choose
from assay.selection.mix import Mix, at_cut, estimate_share, mix_of, require_mix, shifted
from assay.selection.write import write_selection
from assay.storage import Snapshot
from tests.assay.selection.test_selection import document, scored

RUBRIC = Rubric("simulated", 0, 5, 3.0, "average_precision", "")


def drawn(generator: np.random.Generator, n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels: good documents have the same scores whatever their share."""
    good = generator.random(n) < share
    return np.where(good, generator.normal(3.2, 0.8, n), generator.normal(1.6, 0.8, n)), np.where(good, 4.0, 1.0)


def reference_of(scores: np.ndarray) -> Profile:
    columns = {"score": scores, "tokens": 100, "read": 1.0, "keep": scores >= 3, "language": "en"}
    return Profile.of(RUBRIC, pd.DataFrame(columns))


def corpus_of(scores: np.ndarray) -> Scores:
    ones = np.ones(len(scores), np.int64)
    return Scores(None, Totals(), TokenHistogram.of(Bins(-5, 10), scores, ones))  # type: ignore[arg-type]


def fitted(seed: int = 0, share: float = 0.3) -> tuple[Calibration, Profile]:
    scores, labels = drawn(np.random.default_rng(seed), 2_000, share)
    return Calibration.fit(scores, labels, low=0, high=5, threshold=3), reference_of(scores)


def test_the_share_of_a_corpus_of_another_mix_is_estimated_and_its_precision_corrected() -> None:
    made, reference = fitted()
    scores, labels = drawn(np.random.default_rng(1), 50_000, 0.08)
    corpus = corpus_of(scores)

    found = at_cut(mix_of(reference, corpus, made, 0.3), corpus, made, 2.5)

    assert found.is_another(0.1) and found.distance > 0.15
    assert found.estimated == pytest.approx(0.08, abs=0.02)
    assert found.precision == pytest.approx((labels[scores >= 2.5] >= 3).mean(), abs=0.06)
    assert found.precision_uncorrected is not None and found.precision_uncorrected > found.precision + 0.2
    assert made.apply(scores).p_keep.mean() > 0.12
    corrected = shifted(made.apply(scores).p_keep, found.labelled, found.estimated)
    assert corrected.mean() == pytest.approx(0.08, abs=0.02)
    assert found.left < 0.05
    said = " ".join(found.sentences(0.1))
    assert "another mix" in said and "label shift" in said and "--correct-p-keep" in said


def test_the_same_mix_is_calm_and_what_label_shift_does_not_explain_gets_no_correction() -> None:
    made, reference = fitted()
    same, _ = drawn(np.random.default_rng(2), 5_000, 0.3)
    found = mix_of(reference, corpus_of(same), made, 0.3)
    assert not found.is_another(0.1)
    assert found.estimated == pytest.approx(0.3, abs=0.03)
    assert len(found.sentences(0.1)) == 1

    moved = mix_of(reference, corpus_of(same + 1.5), made, 0.3)
    assert moved.is_another(0.1)
    assert "no corrected figure is given" in " ".join(moved.sentences(0.1))


@pytest.mark.parametrize("value", [0.0, 1.5, 2.000001, 4.9999])
def test_scores_that_hardly_differ_are_no_distance_from_themselves(value: float) -> None:
    made, _ = fitted()
    scores = value + np.random.default_rng(0).normal(0, 1e-6, 300)

    assert mix_of(reference_of(scores), corpus_of(scores), made, 0.3).distance == 0
    assert mix_of(reference_of(scores), corpus_of(scores + 0.1), made, 0.3).distance == 1


def test_the_distance_is_that_of_the_samples() -> None:
    made, _ = fitted()
    one, _ = drawn(np.random.default_rng(3), 3_000, 0.3)
    other, _ = drawn(np.random.default_rng(4), 3_000, 0.15)

    found = mix_of(reference_of(one), corpus_of(other), made, 0.3).distance

    assert found == pytest.approx(ks_2samp(one, other).statistic, abs=0.01)


def test_the_estimate_keeps_the_share_that_it_starts_from_where_nothing_changed() -> None:
    p = np.array([0.1, 0.5, 0.9])
    counts = np.array([50.0, 20.0, 30.0])
    share = float(counts @ p / counts.sum())

    assert estimate_share(p, counts, share) == pytest.approx(share, abs=1e-6)
    assert shifted(p, 0.3, 0.3) == pytest.approx(p)
    assert shifted(shifted(p, 0.3, 0.1), 0.1, 0.3) == pytest.approx(p)


def test_a_promised_target_is_refused_for_a_corpus_of_another_mix() -> None:
    made, reference = fitted()
    other = mix_of(reference, corpus_of(drawn(np.random.default_rng(1), 5_000, 0.05)[0]), made, 0.3)

    for keep in ("precision=0.8", "recall=0.9"):
        with pytest.raises(InputError, match=rf"{keep} cannot be promised for this corpus.*audit the selection"):
            require_mix(other, SelectionRequest(keep=keep), made)
        require_mix(other, SelectionRequest(keep=keep, mix_distance=0.9), made)
        require_mix("nothing is known", SelectionRequest(keep=keep), made)
    require_mix(other, SelectionRequest(keep="precision~0.8"), made)
    require_mix(other, SelectionRequest(share=0.1), made)
    with pytest.raises(InputError, match="p_keep cannot be corrected: nothing is known"):
        require_mix("nothing is known", SelectionRequest(share=0.1, correct_p_keep=True), made)
    with pytest.raises(InputError, match="mix_distance is 2"):
        SelectionRequest(mix_distance=2)


def test_a_selection_states_the_mix_and_holds_the_corrected_probability(tmp_path: Path) -> None:
    rows = [document(n, score) for n, score in enumerate(np.linspace(-1, 6, 40))]
    scores, corpus = scored(tmp_path, rows)
    made, reference = fitted()
    found = replace(mix_of(reference, scores, made, 0.3), estimated=0.1)
    written: dict[bool, Snapshot] = {}
    for correct in (False, True):
        request = SelectionRequest(share=0.5, correct_p_keep=correct)
        choice = choose(scores, corpus, made, request)
        place = str(tmp_path / f"selected-{correct}")
        written[correct] = write_selection(scores, corpus, request, choice, place, mix=found, calibration=made)

    plain, corrected = (written[c].take(range(20), "p_keep") for c in (False, True))
    assert corrected == pytest.approx(shifted(np.array(plain), 0.3, 0.1))
    assert mix_sentences(written[True]) == at_cut(found, scores, made, choice.cut).sentences(0.1)
    for page in ("README.md", "report.html"):
        assert "distribution functions of the score are" in (tmp_path / "selected-True" / page).read_text()
    manifest = json.loads((tmp_path / "selected-False" / "manifest.json").read_text())
    assert set(manifest["provenance"]["request"]) == {"token_budget", "share", "threshold", "keep_duplicates", "keep"}
    assert Mix(**manifest["provenance"]["mix"]).estimated == 0.1
