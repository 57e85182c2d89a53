"""The watch, its looks, and the page of the state."""

from pathlib import Path
from typing import Any

from bad_input.table import WEBHOOKS, Bad, Good, check_row, rows, setting

PAGES = [
    setting("looks that are a file", "state", "--looks {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("log that is a file", "state", "--log {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("looks of an unknown kind", "state", "--looks s9://a", "Protocol not known: s9", "(s9://a)", "Give a path"),
    setting("no days", "state", "--days 0", "0 days of the score log", "Give 1 or more"),
    setting("days in words", "state", "--days many", "argument --days: invalid int value: 'many'"),
    setting(
        "page of another kind", "state", "--output {out}/s.json", "the state is a page", "/s.json)", "ends in .html"
    ),
    setting("page on a URL", "state", "--output s3://a/b.html", "argument --output: s3://a/b.html is a URL"),
]
WATCHED = [
    setting("neither log nor scores", "watch", "", "one of the arguments --log --scores is required"),
    setting("log and scores", "watch", "--log {kept}/log --scores {here}", "not allowed with argument --log"),
    setting("missing log", "watch", "--log {here}/no", "there is no score log", "/no)", "ASSAY_SERVE_LOG"),
    setting("log that is a file", "watch", "--log {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("empty log", "watch", "--log {kept}/empty", "the window has 0 scored documents", "Take a longer window"),
    setting(
        "log of another model", "watch", "--log {kept}/foreign", "no answer of", "but some of", "Name the model that"
    ),
    setting(
        "corrupt log", "watch", "--log {kept}/cut", "file of the score log cannot be read", ".parquet)", "Remove it"
    ),
    setting("too small a window", "watch", "--log {kept}/log --least-documents 999", "has 300 scored", "needs 999"),
    setting("window that ends before it begins", "watch", "--log {kept}/log --until 2026-01-01", "the window ends at"),
    setting("time in words", "watch", "--log {kept}/log --since monday", "'monday' is not a time", "Give one as 2026"),
    setting("times of scores", "watch", "--scores {here}", "scores of a corpus have no times", "Leave --since"),
    setting(
        "reference of another kind", "watch", "--log {kept}/log --reference {here}", "no complete scores", "/here)"
    ),
    setting("missing model", "watch", "--log {kept}/log --model no", "no version 'no'", "/registry)", "Name one of"),
    setting(
        "corrupt looks",
        "watch",
        "--log {kept}/log --looks {kept}/looks --reference {scores}",
        "look cannot be read",
        "0001",
    ),
    setting("looks that are a file", "watch", "--log {kept}/log --looks {labels}", "this is a file", "Name the folder"),
    setting(
        "result of another kind", "watch", "--log {kept}/log --output {out}/w.html", "a file of JSON", "ends in .json"
    ),
    setting(
        "result that is a folder", "watch", "--log {kept}/log --output {folder}", "a file of JSON", "ends in .json"
    ),
    *(
        setting(
            f"{value} for {name}", "watch", f"--log {{kept}}/log --{name} {value}", f"{words} is {value}", "(watch)"
        )
        for name, words, value in (
            ("every-hours", "every_hours", "-1.0"),
            ("every-hours", "every_hours", "nan"),
            ("false-alarms-a-year", "false_alarms_a_year", "-0.1"),
            ("least-documents", "least_documents", "-5"),
            ("cool-down-hours", "cool_down_hours", "-2.0"),
        )
    ),
    *(
        setting(
            f"webhook {url}",
            "watch",
            f"--log {{kept}}/log --webhook {{kept}}/webhook-{number}",
            "no URL of a webhook",
            "Give one",
        )
        for number, url in enumerate(WEBHOOKS[1:], start=1)
    ),
    setting("missing webhook", "watch", "--log {kept}/log --webhook {here}/no", "the webhook cannot be read", "/no)"),
    setting(
        "webhook that everybody sees",
        "watch",
        "--log {kept}/log --webhook https://hooks.example/secret",
        "--webhook names a file, and this is a URL",
        "Set ASSAY_WEBHOOK",
    ),
    setting(
        "unknown form of a webhook",
        "watch",
        "--log {kept}/log --webhook {kept}/webhook-0 --webhook-form x",
        "no form 'x'",
        "json",
    ),
]


@rows([*PAGES, *WATCHED])
def test_a_window_that_cannot_be_watched_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)
