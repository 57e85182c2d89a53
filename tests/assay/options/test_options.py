"""One request, three views: options on a command line, in a file, and in the lineage."""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.options import (
    Base,
    add_arguments,
    build,
    given_arguments,
    group,
    named,
    options_of,
    overlay,
    plain_options,
    plain_settings,
    read_options,
    read_options_file,
    subset,
    written,
)
from assay.storage import digest_json


@dataclass(frozen=True)
class Window:
    """A part that another dataclass owns."""

    tokens: int = field(default=512, metadata=named("window_tokens"))
    """Tokens in a window."""

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise InputError(f"window_tokens is {self.tokens}", fix="Give 1 or more")


@dataclass(frozen=True)
class Settings:
    """Settings with a part of their own."""

    epochs: int = 3
    """Passes over the documents,
    all of them."""
    rate: float = 0.5
    """Share in percent: 50 % is 0.5."""
    loss: Literal["plain", "robust"] = "plain"
    """Loss."""
    window: Window = field(default_factory=Window, metadata=group())


@dataclass(frozen=True)
class Span:
    """An optional part."""

    column: str = field(default="", metadata=named("time_column"))
    """Column of the times."""
    since: str = ""
    """Start."""


@dataclass(frozen=True)
class Limits:
    """Limits that people write as NAME=NUMBER."""

    high: float = 1.0
    low: float | None = None


RECIPES = {"default": Settings(), "long": Settings(epochs=20, window=Window(64))}


def read_limits(entries: list[str]) -> Limits:
    return Limits(**{name: float(value) for name, value in (entry.split("=") for entry in entries)})


@dataclass(frozen=True)
class Request:
    """Everything at once."""

    source: str
    """Documents."""
    settings: Settings = field(
        default_factory=Settings,
        metadata=group(title="settings", base=Base("recipe", "default", RECIPES.__getitem__, "Named settings.")),
    )
    span: Span | None = field(default=None, metadata=group(title="span"))
    columns: tuple[str, ...] = ()
    """Columns."""
    threshold: float | None = None
    """Threshold."""
    limits: Limits = field(
        default_factory=Limits, metadata=written(read_limits, plain=plain_settings, many=True, name="limit")
    )
    """Limits."""
    strict: bool = False
    """Strict."""


def digest(request: object) -> str:
    return digest_json(plain_options(request))


def parsed(*arguments: str) -> Request:
    parser = argparse.ArgumentParser()
    add_arguments(parser, options_of(Request), spelled={"source": "--data"})
    return build(Request, given_arguments(parser.parse_args(arguments), options_of(Request)))


def test_each_leaf_is_one_option_with_the_docstring_of_its_field() -> None:
    options = options_of(Request)

    assert list(options) == [
        *("source", "recipe", "epochs", "rate", "loss", "window_tokens"),
        *("time_column", "since", "columns", "threshold", "limit", "strict"),
    ]
    assert options["epochs"].help == "Passes over the documents, all of them."
    assert options["window_tokens"].path == ("settings", "window", "tokens")
    assert set(subset(options, "settings", but=["rate"])) == {"recipe", "epochs", "loss", "window_tokens"}


def test_two_options_of_one_name_are_a_mistake_of_the_request() -> None:
    @dataclass(frozen=True)
    class Twice:
        one: Window = field(default_factory=Window, metadata=group())
        other: Window = field(default_factory=Window, metadata=group())

    with pytest.raises(TypeError, match="two options of Twice are called window_tokens"):
        options_of(Twice)


def test_a_command_line_a_file_and_a_text_give_equal_requests_and_digests(tmp_path: Path) -> None:
    file = tmp_path / "request.yaml"
    file.write_text(
        "source: a\nrecipe: long\nrate: 1e-1\ncolumns: [x, y]\nlimit:\n  high: 2\ntime_column: when\nstrict: true\n"
    )
    text = '{"source": "a", "recipe": "long", "rate": 0.1, "columns": "x, y", "limit": ["high=2"], "strict": true}'

    by_file = build(Request, read_options_file(file))
    by_text = build(Request, {**read_options(text), "time_column": "when"})
    line = ["--data", "a", "--recipe", "long", "--rate", "0.1", "--columns", "x,y", "--limit", "high=2", "--strict"]
    by_line = parsed(*line, "--time-column", "when")

    assert by_file == by_text == by_line
    assert by_file == Request(
        "a", Settings(20, 0.1, window=Window(64)), Span("when"), ("x", "y"), limits=Limits(2), strict=True
    )
    assert len({digest(request) for request in (by_file, by_text, by_line)}) == 1
    assert digest(by_file) != digest(build(Request, {"source": "a"}))


@dataclass(frozen=True)
class Outer:
    """A request whose base is two groups deep."""

    inner: Request = field(metadata=group())


def test_a_base_is_chosen_however_deep_its_group_is() -> None:
    assert build(Outer, {"source": "a", "recipe": "long"}).inner.settings == RECIPES["long"]
    assert build(Outer, {"source": "a"}) == Outer(Request("a"))


def test_a_base_that_a_later_layer_chooses_is_not_hidden_by_an_earlier_one() -> None:
    file = plain_options(build(Request, {"source": "a", "epochs": 7, "columns": ["x"]}))

    assert build(Request, overlay(Request, file, {})) == build(Request, file)
    changed = build(Request, overlay(Request, file, {"recipe": "long", "rate": 0.1}))
    assert changed == Request("a", Settings(20, 0.1, window=Window(64)), columns=("x",))
    assert build(Request, overlay(Request, {**file, "recipe": "long"}, {"epochs": 9})).settings.epochs == 9


def test_an_option_that_is_not_given_has_the_default_of_the_chosen_base() -> None:
    assert build(Request, {"source": "a"}) == Request("a")
    assert build(Request, {"source": "a", "recipe": "long"}).settings == RECIPES["long"]
    assert build(Request, {"source": "a", "recipe": "long", "epochs": 1}).settings == Settings(1, window=Window(64))
    assert build(Request, {"source": "a", "since": "", "time_column": ""}).span is None
    assert not parsed("--data", "a", "--no-strict").strict


@settings(max_examples=50, deadline=None)
@given(
    st.fixed_dictionaries(
        {"source": st.text(max_size=8)},
        optional={
            "recipe": st.sampled_from(sorted(RECIPES)),
            "epochs": st.integers(1, 99),
            "rate": st.floats(0, 1),
            "loss": st.sampled_from(["plain", "robust"]),
            "window_tokens": st.integers(1, 4096),
            "time_column": st.sampled_from(["", "when"]),
            "columns": st.lists(st.sampled_from("xyz"), max_size=3),
            "threshold": st.none() | st.floats(-5, 5),
            "limit": st.fixed_dictionaries({}, optional={"high": st.floats(0, 9), "low": st.floats(0, 9)}),
            "strict": st.booleans(),
        },
    )
)
def test_what_a_request_is_written_as_makes_it_again(asked: dict[str, Any]) -> None:
    request = build(Request, asked)

    for defaults in (True, False):
        plain = plain_options(request, defaults=defaults)
        assert build(Request, json.loads(json.dumps(plain))) == request
        assert build(Request, read_options(json.dumps(plain))) == request


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, ("source is missing (here)", "Give source")),
        ({"source": "a", "epoch": 2}, ("no option 'epoch' (here)", "Did you mean epochs?")),
        ({"source": "a", "window-tokens": 2}, ("no option 'window-tokens' (here)", "Did you mean window_tokens?")),
        ({"source": "a", "zzz": 2}, ("no option 'zzz' (here)", "Give one of: source, recipe")),
        ({"source": "a", "epochs": "many"}, ("epochs 'many' cannot be read", "valid integer", "(here)")),
        ({"source": "a", "loss": "none"}, ("loss 'none' cannot be read", "'plain' or 'robust'", "(here)")),
        ({"source": 3}, ("source 3 cannot be read", "valid string", "(here)")),
        ({"source": "a", "columns": 3}, ("columns 3 cannot be read", "(here)")),
        ({"source": "a", "limit": 3}, ("limit is 3, not a list (here)",)),
        ({"source": "a", "window_tokens": 0}, ("window_tokens is 0", "Give 1 or more")),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(asked: dict[str, Any], says: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as raised:
        build(Request, asked, where="here")

    for words in says:
        assert words in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source: [", "this is neither YAML nor JSON"),
        ("- source", "these are no options by name"),
        ("1: a", "these are no options by name"),
        ("epochs: 3\nepochs: 4", "epochs is given twice"),
        ('{"epochs": 3, "epochs": 4}', "epochs is given twice"),
        ("!!python/object/apply:os.system [true]", "this is neither YAML nor JSON"),
    ],
)
def test_a_text_that_gives_no_options_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_options(text)


def test_a_file_that_gives_no_options_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="options are a file of YAML or JSON"):
        read_options_file(tmp_path / "request.toml")
    with pytest.raises(InputError, match="the options cannot be read"):
        read_options_file(tmp_path / "request.yaml")


def test_dates_of_yaml_are_text_and_no_text_is_no_options() -> None:
    assert read_options("since: 2026-01-31\n") == {"since": "2026-01-31"}
    assert read_options("") == read_options("# a comment") == {}
