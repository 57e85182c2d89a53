"""Every command in README and docs/ is one that exists: it is parsed by the parsers that would run it."""

import importlib
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
from commands import CLUSTER, PAGES, SHELLS, Block, blocks, commands

from assay.cli.main import _parser

ROOT = Path(__file__).resolve().parents[2]
CODE = [block for page in PAGES for block in blocks(page) if block.language in ("", *SHELLS)]
SHELL = [block for block in CODE if block.language]
REMOTE = re.compile(
    r"\b(kubectl|helm|docker|terraform|aws|flytectl)\b|AWS_ENDPOINT_URL|sagemaker|vertex"
    r"|--remote\b|remote-launchplan|make register\b"
)


def every(program: str) -> list[tuple[str, list[str]]]:
    """Return place and words of each command of a program, with `.venv/bin/` or variables before it or not."""
    found = []
    for block in CODE:
        for words in commands(block.text):
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0].removeprefix(".venv/bin/") == program:
                found.append((block.place, words[1:]))
    return found


ASSAY, MAKE, PYFLYTE = every("assay"), every("make"), every("pyflyte")
ASSAY = [(place, words) for place, words in ASSAY if "…" not in words]  # named, and not spelled out
RUNS = [
    (place, shlex.split(word.removeprefix("ARGS=")))
    for place, words in MAKE
    for word in words
    if word.startswith("ARGS=") and "…" not in word and "kedro" not in words
]
KEDRO = [shlex.split(word.partition("=")[2]) for _, words in MAKE if "kedro" in words for word in words if "=" in word]


def test_there_are_commands_to_check() -> None:
    assert len(ASSAY) > 40
    assert len(MAKE) > 25
    assert len(RUNS) > 15
    assert len(PYFLYTE) > 5


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_a_block_is_valid_bash(block: Block) -> None:
    run = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("block", [b for b in SHELL if not b.place.startswith("README")], ids=lambda block: block.place)
def test_a_block_that_needs_a_cluster_is_marked(block: Block) -> None:
    assert bool(REMOTE.search(block.text)) == (CLUSTER in block.info)


@pytest.mark.parametrize(("place", "words"), ASSAY, ids=lambda of: of if isinstance(of, str) else " ".join(of[:2]))
def test_a_command_of_assay_is_parsed(place: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert _parser().parse_args(words).command == words[0]
    except SystemExit:
        pytest.fail(f"{place}: {capsys.readouterr().err}")


def test_an_unknown_option_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(["train", "--output", "x", "--window-token-count", "3"])
    assert "--window-token-count" in capsys.readouterr().err


@pytest.mark.parametrize(("place", "words"), MAKE, ids=lambda of: of if isinstance(of, str) else " ".join(of[:2]))
def test_a_target_of_make_exists_and_knows_its_variables(place: str, words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [word for word in words if "=" not in word and not word.startswith("[") and word != "…"]
    names = [re.sub(r"^\[", "", word).partition("=")[0] for word in words if "=" in word]
    assert targets, place
    for target in targets:
        assert re.search(rf"^{re.escape(target)}:.*##", makefile, re.MULTILINE), f"{place}: no target {target}"
    for name in names:
        assert re.search(rf"\$\({name}\)|^{name} \?=|,{name}\b|\b{name} is missing", makefile, re.MULTILINE), (
            f"{place}: the Makefile does not read {name}"
        )


def parsed(place: str, words: list[str]) -> None:
    """Parse a command line of `pyflyte` down to the inputs of the workflow, by pyflyte's own parsers."""
    from flytekit.clis.sdk_in_container.pyflyte import main

    context, command, name, rest = None, main, "pyflyte", words
    try:
        while True:
            context = command.make_context(name, list(rest), parent=context)
            if not isinstance(command, click.Group):
                break
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    except click.exceptions.Exit:
        return
    except click.ClickException as error:
        pytest.fail(f"{place}: {error.format_message()}")
    # flytekit gives a required option the default None, which click accepts before the run.
    missing = [each.name for each in command.params if each.required and context.params.get(each.name) is None]
    if missing:
        pytest.fail(f"{place}: no {', '.join(map(str, missing))}")


def test_kedro_has_the_pipelines_that_make_runs() -> None:
    assert KEDRO
    folder = ROOT / "integrations/kedro/src/assay_kedro/pipelines"
    for option, name in KEDRO:
        assert option == "--pipeline"
        assert (folder / name / "pipeline.py").is_file()


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which people run commands, and whose modules pyflyte imports."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize(("place", "words"), RUNS, ids=lambda of: of if isinstance(of, str) else " ".join(of[:2]))
@pytest.mark.usefixtures("at_root")
def test_a_workflow_that_make_runs_takes_these_inputs(place: str, words: list[str]) -> None:
    parsed(place, ["run", *words])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--source", "x", "--text_colum", "y"], "No such option"),
        (["--label_column", "y"], "no source"),
    ],
)
@pytest.mark.usefixtures("at_root")
def test_an_unknown_or_missing_input_is_found(words: list[str], complaint: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=complaint):
        parsed("here", ["run", "workflows/training.py", "train_quality_classifier", *words])


LOCAL = [(place, words) for place, words in PYFLYTE if "remote-launchplan" not in words and "…" not in words]


@pytest.mark.parametrize(("place", "words"), LOCAL, ids=lambda of: of if isinstance(of, str) else " ".join(of[:2]))
@pytest.mark.usefixtures("at_root")
def test_a_workflow_that_pyflyte_runs_takes_these_inputs(place: str, words: list[str]) -> None:
    # Without --remote: with it, pyflyte asks a cluster for the types of inputs.
    parsed(place, [word for word in words if word != "--remote"])


@pytest.mark.usefixtures("at_root")
def test_a_launch_plan_that_is_started_by_name_is_one() -> None:
    started = [words[words.index("remote-launchplan") + 1] for _, words in PYFLYTE if "remote-launchplan" in words]
    assert started
    retraining = importlib.import_module("workflows.retraining").retraining
    assert set(started) == {retraining.name}


@pytest.mark.parametrize("block", [b for page in PAGES for b in blocks(page) if b.language == "python"])
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")
