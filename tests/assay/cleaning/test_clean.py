"""Cleaning: every rule drops its documents with a reason and a value, and documents do not affect each other."""

import random
import re
from dataclasses import replace

import pytest

from assay.cleaning.clean import MARKS, Cleaner, preset
from assay.errors import InputError

SENTENCES = [
    "The river rises in the hills, and it runs through the town before it reaches the sea.",
    "Farmers have used its water for as long as anybody can remember.",
    "In spring the snow melts, and the lower fields are under water for a week.",
    "An old bridge of stone carries the road to the north, with three arches of unequal width.",
    "Children learn to swim behind the mill, where the current is weak.",
    "Most of the trees along the bank are willows, which hold the soil with their roots.",
    "Nobody knows who built the mill, but its wheel was still turning when my mother was a girl.",
    "At night you can hear the otters, if you have the patience to be quiet.",
]
GOOD = " ".join(SENTENCES[:4]) + "\n" + " ".join(SENTENCES[4:])


@pytest.fixture(scope="module")
def fineweb() -> Cleaner:
    return Cleaner(preset("fineweb"))


CASES = {
    "no text": (" \n\t", None, None),
    "language: de": (
        "Der Fluss entspringt in den Hügeln und fließt durch die Stadt, bevor er das Meer erreicht.",
        0,
        1,
    ),
    "language: unknown": ("12345 67890 " * 40, 0, 0),
    "Gopher repetition: dup para frac": ("\n\n".join([SENTENCES[0]] * 6 + SENTENCES), 0.3, 1),
    "Gopher repetition: dup line frac": (
        "\n".join([SENTENCES[0], *(["Read on."] * 8), *SENTENCES[1:]]),
        0.3,
        1,
    ),
    "Gopher repetition: top 2 gram": (
        " ".join(["river bank"] * 40) + " and the other side of it " + GOOD[:200],
        0.2,
        1,
    ),
    "Gopher quality: short doc": (" ".join(SENTENCES[:2]), 0, 49),
    "Gopher quality: too many hashes": (re.sub(r"\b(\w{3,})", r"#\1", GOOD), 0.1, 1),
    "C4: curly bracket": (GOOD + "\nfunction water() { return the river; }", None, None),
    "C4: too few sentences": (re.sub(r"[.]", ",", GOOD.replace("\n", " ")), None, None),
}


@pytest.mark.parametrize("reason", CASES)
def test_a_rule_drops_its_documents_with_reason_and_value(fineweb: Cleaner, reason: str) -> None:
    text, least, most = CASES[reason]

    found = fineweb.clean(text)

    assert found.reason == reason
    if least is None:
        assert found.value is None
    else:
        assert found.value is not None
        assert least <= found.value <= most


def test_a_good_text_is_unchanged(fineweb: Cleaner) -> None:
    found = fineweb.clean(GOOD)
    assert (found.reason, found.text, found.language) == ("", GOOD, "en")


def test_every_measured_value_is_beyond_the_limit_of_its_rule(fineweb: Cleaner) -> None:
    # Given texts broken in many ways
    chance = random.Random(3)
    lines = [*SENTENCES, "Read on...", "- Home", "- Shop", "#river", "12 34 56 78", "More"]
    texts = ["\n".join(chance.choices(lines, k=chance.randint(4, 30))) for _ in range(300)]
    texts += [" ".join(chance.choices(GOOD.split(), k=chance.randint(60, 300))) + "." for _ in range(50)]

    found = [fineweb.clean(text) for text in texts]

    # Then every measured value breaks its rule
    above = {"dup line frac": 0.3, "dup line char frac": 0.2, "short line ratio": 0.67, "char dup ratio": 0.01}
    below = {"short doc": 50, "line punct ratio": 0.12}
    seen = set()
    for each in found:
        rule = each.reason.partition(": ")[2]
        if rule in above:
            assert each.value is not None
            assert each.value > above[rule]
            seen.add(rule)
        if rule in below:
            assert each.value is not None
            assert each.value < below[rule]
            seen.add(rule)
    assert {"dup line frac", "dup line char frac", "short doc"} <= seen


def test_reasons_and_texts_are_those_of_the_filters_with_their_own_tokenizer(fineweb: Cleaner) -> None:
    # Given the filters of datatrove, unchanged
    from datatrove.data import Document
    from datatrove.pipeline import filters

    plain = [
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        filters.C4QualityFilter(filter_no_terminal_punct=False),
        filters.FineWebQualityFilter(),
    ]
    chance = random.Random(5)
    lines = [
        *SENTENCES,
        "Read on... And so on.",
        "- Home",
        "#river: - yes",
        "Dr. Who isn't here.  :) No.",
        "[1] [2] [3]",
    ]
    for text in ["\n".join(chance.choices(lines, k=chance.randint(4, 20))) for _ in range(150)]:
        document, why = Document(text=text, id=""), ""
        for one in plain:
            result = one.filter(document)
            if isinstance(result, tuple):
                why = result[1].removeprefix("gopher_").replace("_", " ")
                break

        found = fineweb.clean(text)

        if not found.reason.startswith("language"):
            assert found.reason.partition(": ")[2] == why
            assert why or found.text == document.text


def test_addresses_get_the_same_placeholders_in_every_document(fineweb: Cleaner) -> None:
    text = GOOD + "\nWrite to anna.kowalska@uni.edu, or to 8.8.8.8, but not to 10.0.0.1, about the river."

    first, second = fineweb.clean(text), fineweb.clean(text)

    assert first == second
    assert "uni.edu" not in first.text
    assert "8.8.8.8" not in first.text
    assert "10.0.0.1" in first.text


def test_broken_encodings_are_repaired(fineweb: Cleaner) -> None:
    text = GOOD.replace("my mother", "FranÃ§ois").replace("otters", "otters\x00\x07")
    cleaned = fineweb.clean(text).text
    assert "François" in cleaned
    assert "\x00" not in cleaned
    assert "\x07" not in cleaned


@pytest.mark.parametrize("text", ["", "\x00", "\ud800 lone " * 30, "a" * 300_000, "x\n" * 20_000, "🙂" * 500])
def test_any_text_gives_a_result(fineweb: Cleaner, text: str) -> None:
    assert fineweb.clean(text).reason


def test_the_preset_none_changes_nothing() -> None:
    cleaner = Cleaner(preset("none"))
    text = "FranÃ§ois, a@b.example { \x07 }"
    assert cleaner.clean(text).text == text
    assert cleaner.clean(" ").reason == "no text"
    with pytest.raises(InputError, match="no preset 'gopher'"):
        preset("gopher")


def test_filters_that_mark_keep_the_document_and_its_text(fineweb: Cleaner) -> None:
    marking = Cleaner(replace(preset("fineweb"), mark=True))

    for reason, (text, _, _) in CASES.items():
        found, dropped = marking.clean(text), fineweb.clean(text)
        rule = reason.partition(":")[0]
        if rule not in MARKS:  # no text, and another language: nothing to keep
            assert (found, found.marks) == (dropped, ())
            continue
        assert not found.reason
        assert MARKS[rule] in found.marks
    assert marking.clean(GOOD) == fineweb.clean(GOOD)
    assert marking.clean(GOOD).marks == ()
    with pytest.raises(InputError, match="mark without filters"):
        replace(preset("none"), mark=True)
