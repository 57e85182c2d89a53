"""The registry, promotions, and the comparison of a challenger with the champion."""

from pathlib import Path
from typing import Any

from bad_input.table import LABELLED, VERSION, Bad, Good, check_row, rows, setting

EMPTY = "(the registry is empty)"
CHAMPIONS = [
    *(
        setting("unknown version", name, "nothing", "no version 'nothing'", "/registry)", VERSION)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("first characters of two versions", name, "{some}", "more than one version", "/registry)", VERSION)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("too few characters of a version", name, "abc", "no version 'abc'", "/registry)", VERSION)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("version of an empty registry", name, "champion --registry {here}", "no version 'champion'", EMPTY)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("registry that is a file", name, f"{version} --registry {{labels}}", says, "/d.parquet)", "Name")
        for name, version, says in (
            ("list", "", "this is a file"),
            ("version", "champion", "this is a file"),
            ("promote", "champion", "this is a file"),
            ("rollback", "", "this is a file"),
            ("deploy", "champion", "no version 'champion'"),
            ("state", "", "this is a file"),
        )
    ),
    *(
        setting("registry of an unknown kind", name, "--registry s9://a", "Protocol not known: s9", "(s9://a", "Give a")
        for name in ("list", "rollback", "state")
    ),
    setting(
        "promotion without a verdict",
        "promote",
        "{two}",
        "no verdict has passed",
        "no verdict was given",
        "Give a verdict",
    ),
    setting("missing verdict", "promote", "{two} --verdict {here}/no", "the verdict cannot be read", "/no)", "Give a"),
    setting("verdict that is a folder", "promote", "{two} --verdict {here}", "the verdict cannot be read", "Give a"),
    setting(
        "verdict of another kind", "promote", "{two} --verdict {labels}", "this verdict cannot be read", "/d.parquet)"
    ),
    setting(
        "verdict about another model",
        "promote",
        "{one} --verdict {kept}/passed.json",
        "about",
        "not about",
        "Run `assay challenge`",
    ),
    setting(
        "refused",
        "promote",
        "{two} --verdict {kept}/refused.json",
        "no verdict has passed",
        "It is as it is",
        "refused.json",
    ),
    setting(
        "no reason",
        "promote",
        "{two} --verdict {kept}/passed.json --why=",
        "needs a name and a reason",
        "Name who does it",
    ),
    setting("no reason", "rollback", "--why=", "needs a name and a reason", "Name who does it"),
    setting("nothing served before", "rollback", "", "nothing served before this champion", "/registry)", "Promote"),
    setting("no champion", "rollback", "--registry {here}", "there is no champion", "/here)", "Promote the version"),
    setting("unknown version", "rollback", "--of nothing", "no version 'nothing'", "/registry)", VERSION),
    setting("missing reason", "rollback", "--who x --why", "argument --why: expected one argument"),
]


JUDGED = [
    setting(
        "verdict of another kind", "challenge", "--output {out}/v.html", "a file of JSON", "/v.html)", "ends in .json"
    ),
    setting(
        "comparison of another kind", "compare", "--output {out}/v.html", "a file of JSON", "/v.html)", "ends in .js"
    ),
    *(
        setting("missing slice", name, "--slice-by no", "no column 'no' to slice by", "Name one")
        for name in LABELLED[2:]
    ),
    setting("unknown champion", "challenge", "--against no", "no version 'no'", "/registry)", "Name one of"),
    setting("against itself", "challenge", "--against {model}", "are the same model", "Name another challenger"),
    setting("unknown limit", "challenge", "--limit x=1", "no limit 'x'", "Name one of: mode, margin"),
    setting(
        "limit in words",
        "challenge",
        "--limit margin=x",
        "the limit 'margin=x' cannot be read: margin: input should be a valid number",
        "and a value",
    ),
    setting(
        "negative margin", "challenge", "--limit margin=-1", "margin -1 must be above 0", "(limits of a promotion)"
    ),
    setting("no number of megabytes", "challenge", "--limit megabytes=nan", "megabytes nan must be above 0"),
    setting(
        "unknown mode", "challenge", "--limit mode=best", "mode: input should be 'better' or 'not_worse'", "Give mode="
    ),
    setting(
        "day in words", "challenge", "--data-until monday", "'monday' is not a date", "(--data-until)", "Give it like"
    ),
    setting("day to come", "challenge", "--data-until 2999-01-01", "is in the future", "Give the day they end"),
]


@rows([*CHAMPIONS, *JUDGED])
def test_a_promotion_that_cannot_be_made_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)
