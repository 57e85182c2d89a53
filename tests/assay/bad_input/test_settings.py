"""Options of training, evaluation, scoring, selection, snapshots and serving, and rubrics."""

from pathlib import Path
from typing import Any

import pytest

from bad_input.table import CANNOT_LOAD, Bad, Good, below, check_row, refused, rows, setting, write

ENCODERS = "Give all-MiniLM-L6-v2, a folder with a transformers model, or OWNER/NAME of a hub"
HEAD = "Begin it with name, low, high and threshold between two lines of ---"
RUBRIC = "---\nname: x\nlow: 0\nhigh: 5\nthreshold: 3\n---\n"
SETTINGS = [
    setting("unknown encoder", "train", "--encoder nothing", "no encoder 'nothing'", ENCODERS),
    setting("encoder of no hub", "train", "--encoder a/nothing", CANNOT_LOAD, "(a/nothing)", "Check the name"),
    setting("encoder that is a file", "train", "--encoder {labels}", "no encoder '/", ENCODERS),
    setting(
        "encoder that is another folder", "train", "--encoder {here}", "config.json is missing (/", "Name a folder"
    ),
    setting(
        "unknown recipe",
        "train",
        "--recipe nothing",
        "no recipe 'nothing'",
        "Choose one of: best, cheap, default, fineweb_edu, head, hybrid, lexical, quickstart",
    ),
    setting(
        "encoder of a lexical model",
        "train",
        "--recipe lexical",
        "which the kind lexical does not have",
        "Leave it out",
    ),
    setting(
        "epochs of a head", "train", "--recipe head --epochs 5", "epochs is 5, which the kind head", "Leave it out"
    ),
    setting(
        "loss of a hybrid",
        "train",
        "--recipe hybrid --loss ordinal",
        "the parts of a hybrid are averaged on the scale of the labels",
        "Give regression",
    ),
    setting("recall beyond 1", "score", "--recall 2", "recall is 2 (cascade)", "Give more than 0, below 1"),
    setting("no confidence", "score", "--confidence 0", "confidence is 0 (cascade)", "Give more than 0, below 1"),
    setting("share of all", "score", "--cascade-share 1", "cascade_share is 1 (cascade)", "Give more than 0, below 1"),
    setting(
        "nothing certified", "score", "--certify-documents 0", "certify_documents is 0 (cascade)", "Give 1 or more"
    ),
    setting("unknown backend", "score", "--backend tensorrt", "no backend 'tensorrt'", "Give one of: pytorch, "),
    setting("backend's share", "score", "--backend-share 1", "backend_share is 1", "Give more than 0, below 1"),
    setting("few documents", "score", "--backend-documents 9", "backend_documents is 9", "Give 100 or more"),
    setting(
        "vectors of a backend",
        "score",
        "--backend openvino-int8 --embeddings int8",
        "the backend openvino-int8 keeps no vectors",
        "Leave one of them out",
    ),
    setting(
        "two cuts",
        "score",
        "--backend auto --cheap {model} --cascade-share .1",
        "the backend looks at another cut than the cascade",
        "Give both the same, or neither",
    ),
    setting("no vectors", "score", "--from-embeddings", "vectors of this corpus do not exist (/", "--embeddings int8"),
    setting("price below nothing", "state", "--core-hour -1", "a price of -1.0 for core_hour", "Give 0 or more"),
    setting("negative epochs", "train", "--epochs -1", "epochs is -1", "(training settings)", "Give more than 0"),
    setting("epochs in words", "train", "--epochs many", "argument --epochs: invalid int value: 'many'"),
    setting("negative seed", "train", "--seed -1", "seed is -1", "(training settings)", "Give 0 to 4294967295"),
    setting("no processes", "train", "--processes 0", "0 training processes", "Give 1 or more"),
    setting("no seeds", "train", "--seeds 0", "0 seeds", "Give 1 or more"),
    setting("one fold", "train", "--folds 1", "folds is 1", "(training settings)", "Give 0, or 2 and more"),
    setting("too many folds", "train", "--folds 999", "999 folds, but", "(cross-fitting)", "Choose fewer folds"),
    setting("folds of rubrics", "train", "--folds 2 --also a={labels}", "one rubric only", "Leave one of them out"),
    setting("unknown target", "train", "--keep best", "keep is 'best'", "Give labels, f1, share=0.1"),
    setting("target without number", "train", "--keep recall", "keep recall needs a number", "Give labels, f1"),
    setting("target in words", "train", "--keep share=all", "keep is 'share=all'", "Give labels, f1"),
    setting("target beyond promise", "train", "--keep recall=.999", "cannot promise a recall of 0.999", "Label until"),
    setting("missing weights", "train", "--weight-column no", "no column 'no' for the weight", "Name one of: id"),
    setting("weights of text", "train", "--weight-column id", "no weight above 0", "Correct them"),
    setting("window too short", "train", "--window-tokens 4", "windows of 4 tokens", "Give at least 8 tokens"),
    setting("no window", "train", "--window-count 0", "windows of 48 tokens, 0 a document", "Give at least 8 tokens"),
    setting("window too long", "train", "--window-tokens 9999", "9999 tokens, but this encoder reads 128", "Shorten"),
    setting("unknown precision", "train", "--precision fp8", "argument --precision: invalid choice: 'fp8'", "fp32"),
    setting("negative threshold", "train", "--threshold -3", "-3 is outside the scale 0 to 5", "Choose one above 0"),
    setting("threshold beyond the scale", "train", "--threshold 9", "9 is outside the scale 0 to 5", "at most 5"),
    setting("threshold that is no number", "train", "--threshold nan", "nan is outside the scale", "Choose one above"),
    setting("negative share of bad rows", "train", "--max-quarantined -1", "max_quarantined is -1", "0 to 1"),
    setting("no share of bad rows", "train", "--max-quarantined nan", "max_quarantined is nan", "0 to 1"),
    setting(
        "column named twice", "train", "--label-column text", "one column is named twice", "Give each role its own"
    ),
    setting(
        "missing group", "train", "--group-by no", "no column 'no' for the group", "/d.parquet)", "Name one of: id"
    ),
    setting(
        "missing slice", "train", "--slice-by no", "no column 'no' to slice by (/", "/d.parquet)", "Name one of: id"
    ),
    setting(
        "unknown limit", "train", "--gate-limit excess=1", "no limit 'excess' (limits of the gates)", "shortcuts.excess"
    ),
    setting(
        "limit in words",
        "train",
        "--gate-limit leak.leaked=no",
        "the limit 'leak.leaked=no' cannot be read: leak.leaked: input should be a valid number",
        "Give leak.leaked= and a number",
    ),
    setting(
        "no share of excess", "evaluate", "--gate-limit shortcuts.excess=3", "excess is 3 (limits of", "Give 0 to 1"
    ),
    setting(
        "missing rubric", "train", "--rubric no.md", "no rubric 'no.md'", "Name a Markdown file or one of: code, educat"
    ),
    setting(
        "further rubric without source", "train", "--also legal", "names no rubric and source", "Give RUBRIC=SOURCE"
    ),
    setting("further rubric of no kind", "train", "--also no.md={labels}", "no rubric 'no.md'", "Name a Markdown file"),
    setting(
        "further rubric with a threshold in words", "train", "--also a:x={labels}", "threshold 'x' is no number", "a:x="
    ),
    setting("further threshold", "train", "--also a:9={labels}", "9 is outside the scale", "(rubric", "Choose one"),
    setting("rubric twice", "train", "--also education={labels}", "two rubrics of one model are called 'education'"),
    setting("further rubric from nowhere", "train", "--also a={here}/no", "/no", "(", ")"),
    setting(
        "rubric that a model lacks", "evaluate", "--rubric no", "this model has no rubric 'no'", "Name one of: edu"
    ),
    setting("rubric that a model lacks", "select", "--by no", "this model has no rubric 'no'", "Name one of: educa"),
    setting("output on a URL", "train", "--output s3://a/b", "argument --output: s3://a/b is a URL", "name a place on"),
    setting("another file for a rubric", "train", "--rubric {labels}", "cannot be read", "/d.parquet)", HEAD),
    setting(
        "ledger that is a file", "train", "--ledger {labels}/x", "cannot make the folder /", "Choose another place"
    ),
    setting(
        "report that is no JSON", "evaluate", "--output {out}/r.html", "a file of JSON", "/r.html)", "ends in .json"
    ),
    setting("report that is a folder", "evaluate", "--output {folder}", "a file of JSON", ".json)", "ends in .json"),
    setting(
        "missing slice", "evaluate", "--slice-by no", "no column 'no' to slice by (/", "/few.parquet)", "Name one of"
    ),
    setting("missing model", "evaluate", "--model {here}/no", "assay.json is missing", "/no)", "Name a folder that"),
    setting(
        "model that is a file", "evaluate", "--model {labels}", "assay.json is missing", "/d.parquet)", "Name a fold"
    ),
    setting(
        "model that is a file", "score", "--model {labels}", "assay.json is missing", "/d.parquet)", "Name a folder"
    ),
    setting(
        "model that is a file", "select", "--model {labels}", "assay.json is missing", "/d.parquet)", "Name a fold"
    ),
    setting("missing model", "score", "--model no --registry {here}", "no version 'no' (/", "Name one of"),
    setting(
        "registry that is a file", "score", "--model no --registry {labels}", "no version 'no'", "d.parquet)", "Name"
    ),
    setting("no rows in a part", "score", "--rows-per-part 0", "rows_per_part is 0", "Give 1 or more"),
    setting("negative rows in a part", "score", "--rows-per-part -5", "rows_per_part is -5", "Give 1 or more"),
    setting("missing slice", "score", "--slice-by no", "no column 'no' to slice by (/", "/s)", "Name one of: id, text"),
    setting("unknown tokenizer", "score", "--tokenizer nothing", "no encoder 'nothing'", ENCODERS),
    setting("tokenizer that may change", "score", "--tokenizer a/b", "'a/b' may change on its hub", "Pin a revision"),
    setting(
        "output of an unknown kind", "score", "--output s9://a/b", "Protocol not known: s9", "(s9://a/b/", "Give a"
    ),
    setting("negative budget", "select", "--token-budget -5", "a budget of -5 tokens", "(selection)", "Give 1 or more"),
    setting("no budget", "select", "--token-budget 0", "a budget of 0 tokens", "(selection)", "Give 1 or more"),
    setting("budget in words", "select", "--token-budget lots", "argument --token-budget: invalid int value: 'lots'"),
    setting(
        "budget below any document", "select", "--token-budget 1", "the best document alone has", "Raise the budget"
    ),
    setting("no share", "select", "--share 0", "share is 0", "(selection)", "Give more than 0 and at most 1"),
    setting(
        "share above all", "select", "--share 1.5", "share is 1.5", "(selection)", "Give more than 0 and at most 1"
    ),
    setting("share that is no number", "select", "--share nan", "share is nan", "(selection)", "Give more than 0"),
    setting("threshold beyond the scale", "select", "--threshold 9", "threshold 9 is no grade", "from 1 to 5"),
    setting("negative threshold", "select", "--threshold -1", "threshold -1 is no grade", "from 1 to 5"),
    setting("threshold between grades", "select", "--threshold 2.5", "threshold 2.5 is no grade", "from 1 to 5"),
    setting(
        "threshold that is no number", "select", "--threshold nan", "threshold is nan", "Give a grade of the scale"
    ),
    setting(
        "two requests", "select", "--share .5 --token-budget 9", "token_budget and share at once", "Give one of them"
    ),
    setting("unknown target of a selection", "select", "--keep best", "keep is 'best'", "Give labels, f1"),
    setting("share as a target", "select", "--keep share=0.1", "keep is a share (selection)", "Give it as share"),
    setting(
        "two requests, one a target", "select", "--keep f1 --share .5", "share and keep at once", "Give one of them"
    ),
    setting("no scores", "select", "--scores {here}/no", "there are no scores", "/no)", "Run `assay score` first"),
    setting(
        "scores of another corpus", "select", "--scores {folder}", "no complete scores", ".json)", "Run `assay score`"
    ),
    setting("similarity of nothing", "build", "--similarity 0", "threshold 0 must be above 0 and at most 1"),
    setting("similarity above all", "build", "--similarity 2", "threshold 2 must be above 0 and at most 1"),
    setting("negative seconds", "build", "--page-seconds -1", "page_seconds is -1", "Give more than 0"),
    setting("no megabytes", "build", "--shard-megabytes 0", "shard_megabytes is 0", "Give 1 or more"),
    setting("no processes", "build", "--processes 0", "0 processes", "(curation)", "Give 1 or more"),
    setting("unknown preset", "build", "--preset nothing", "no preset 'nothing'", "Name one of: none, fineweb"),
    setting(
        "missing benchmarks", "build", "--benchmarks {here}/no", "no such file or folder of benchmark texts", "/no)"
    ),
    setting(
        "missing text column", "build", "--text-column no", "no column 'no' for the text", "Name one of: id, label"
    ),
    setting(
        "missing id column", "build", "--id-column no", "no column 'no' for the id", "/d.parquet)", "Name one of: id"
    ),
    setting("missing model", "serve", "--model no --registry {here}", "no version 'no' (/", "Name one of"),
    setting(
        "registry that is a file", "serve", "--model no --registry {labels}", "no version 'no'", "d.parquet)", "Name"
    ),
    setting("bentos on a URL", "serve", "--bentos s3://a/b", "argument --bentos: s3://a/b is a URL", "name a place on"),
    setting("missing ids", "delete", "--ids {here}/no", "the ids cannot be read", "/no)", "Give a text file, one id a"),
    setting(
        "ids that are no text", "delete", "--ids {labels}", "the ids cannot be read", "/d.parquet)", "Give a text f"
    ),
    setting(
        "ids that are a folder", "delete", "--ids {here}", "the ids cannot be read: [Errno 21] Is a", "Give a text"
    ),
    setting("output that exists", "train", "--output {folder}", "the output exists already", ".json)", "Remove it"),
    setting("output that exists", "select", "--output {folder}", "the output exists already", ".json)", "Remove it"),
    setting("output that exists", "build", "--output {folder}", "the output exists already", ".json)", "Remove it"),
    setting("output that exists", "delete", "--output {folder}", "the output exists already", ".json)", "Remove it"),
]


@rows(SETTINGS)
def test_an_option_that_cannot_be_used_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)


RUBRICS = {
    "no head": ("hello", ("this rubric cannot be read: it has no YAML head", "/r.md)", HEAD)),
    "no UTF-8": (b"---\nname: \xff\n---\n", ("this rubric cannot be read: 'utf-8' codec", "/r.md)", HEAD)),
    "no YAML": (RUBRIC.replace("low", " low: ["), ("this rubric cannot be read: ", "/r.md)", HEAD)),
    "a scale without room": (RUBRIC.replace("0", "7"), ("the scale 7 to 5 has no room", "(rubric x)", "Give a `high`")),
    "a scale of times": (
        RUBRIC.replace("5", "1760000000"),
        ("more than 1,000 grades", "(rubric x)", "Name the column"),
    ),
    "a scale in words": (RUBRIC.replace("0", "none"), ("this rubric cannot be read: ", "/r.md)", HEAD)),
    "an unknown metric": (
        RUBRIC.replace("low", "primary_metric: luck\nlow"),
        ("no metric 'luck'", "(rubric x, primary_metric)", "Name one of: f1, precision"),
    ),
}


@pytest.mark.parametrize("name", RUBRICS)
def test_a_rubric_that_cannot_be_used_is_refused(name: str, good: Good, forker: Any, tmp_path: Path) -> None:
    content, says = RUBRICS[name]
    write(tmp_path / "r.md", content)

    refused(forker, [*good.command("train", tmp_path), "--rubric", str(tmp_path / "r.md")], says)

    assert below(tmp_path) == {"r.md"}
