"""Model folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_input.table import CANNOT_LOAD, LABELLED, MODEL_AGAIN, RIGHT, WHOLE, Bad, Good, check_row, rows, write


def change_info(path: Path, **changes: Any) -> None:
    fields = json.loads((path / "assay.json").read_text())
    (path / "assay.json").write_text(json.dumps(fields | changes))


def model_row(name: str, says: tuple[str, ...], spoil: Callable[[Path], object], *commands: str, **more: Any) -> Bad:
    return Bad(name, says, commands=commands or ("evaluate", "score", "select"), spoil=spoil, copies="model", **more)


NO_SCORES = {"select": ("no complete scores of this corpus", "/scores)", "Run `assay score` first, to its end")}
MODELS = [
    model_row(
        "model of another program",
        ("no Assay model: assay.json is missing", "/model)", "Name a folder that `assay train` wrote"),
        lambda path: (path / "assay.json").unlink(),
    ),
    model_row(
        "assay.json of another program",
        ("assay.json cannot be read: format: field required", "/model)", MODEL_AGAIN),
        lambda path: write(path / "assay.json", "{}"),
    ),
    model_row(
        "assay.json that is no JSON",
        ("assay.json cannot be read: Expecting property name", "/model)", MODEL_AGAIN),
        lambda path: write(path / "assay.json", "{"),
    ),
    model_row(
        "assay.json that is no UTF-8",
        ("assay.json cannot be read: Expecting value", "/model)", MODEL_AGAIN),
        lambda path: write(path / "assay.json", b"\xff\xfe"),
    ),
    model_row(
        "model of a later format",
        ("model format 9, this release reads 1", "/model)", "Install the release that wrote it"),
        lambda path: change_info(path, format=9),
    ),
    model_row(
        "model of an unknown precision",
        ("assay.json cannot be read: precision: input should be 'fp32' or 'bf16'", "/model)", MODEL_AGAIN),
        lambda path: change_info(path, precision="fp99"),
    ),
    model_row(
        "uncalibrated model",
        ("this model was never calibrated", "/model)", "Train it with `assay train`"),
        lambda path: change_info(path, calibration=None),
    ),
    model_row(
        "truncated safetensors",
        (f"{CANNOT_LOAD}: Error while deserializing header", "/model)", WHOLE),
        lambda path: write(path / "model.safetensors", (path / "model.safetensors").read_bytes()[:5000]),
        says_for=NO_SCORES,
    ),
    model_row(
        "safetensors of other bytes",
        (f"{CANNOT_LOAD}: Error while deserializing header", "/model)", WHOLE),
        lambda path: write(path / "model.safetensors", b"\xff" * 3000),
        says_for=NO_SCORES,
    ),
    model_row(
        "no safetensors",
        (f"{CANNOT_LOAD}: Error no file named model.safetensors", "/model)", WHOLE),
        lambda path: (path / "model.safetensors").unlink(),
        says_for=NO_SCORES,
    ),
    model_row(
        "config.json that is no JSON",
        (CANNOT_LOAD, "/model)", WHOLE),
        lambda path: write(path / "config.json", "{"),
        says_for=NO_SCORES,
    ),
    model_row(
        "damaged record of what was seen",
        ("seen.parquet cannot be read", "/model)", MODEL_AGAIN),
        lambda path: write(path / "seen.parquet", b"x"),
        "evaluate",
    ),
    model_row(
        "no permission for assay.json",
        ("assay.json cannot be read", "Permission denied", "/model)", MODEL_AGAIN),
        lambda path: (path / "assay.json").chmod(0),
        powerless=True,
    ),
    model_row(
        "no permission for the weights",
        (CANNOT_LOAD, "/model.safetensors", "/model)", WHOLE),
        lambda path: (path / "model.safetensors").chmod(0),
        powerless=True,
        says_for={"select": ("this may not be read", "/model/model.safetensors)", RIGHT)},
    ),
    model_row(
        "no permission for the model folder",
        ("assay.json cannot be read", "Permission denied", "/model)", MODEL_AGAIN),
        lambda path: path.chmod(0),
        powerless=True,
    ),
]


OTHER_SCALE = {"rubric": {"name": "education", "low": 0, "high": 9, "threshold": 3}}
PAIRS = [
    model_row(
        "model of another program",
        ("no Assay model: assay.json is missing", "/model)", "Name a folder that `assay train` wrote"),
        lambda path: (path / "assay.json").unlink(),
        *LABELLED[2:],
    ),
    model_row(
        "uncalibrated model",
        ("never calibrated", "/model)", "Train it with `assay train`"),
        lambda path: change_info(path, calibration=None),
        *LABELLED[2:],
    ),
    model_row(
        "models of different scales",
        ("different scales", "0 to 9", "0 to 5"),
        lambda path: change_info(path, **OTHER_SCALE),
        *LABELLED[2:],
    ),
    model_row(
        "damaged record of what was seen",
        ("seen.parquet cannot be read", "/model)", MODEL_AGAIN),
        lambda path: write(path / "seen.parquet", b"x"),
        *LABELLED[2:],
    ),
    model_row(
        "truncated safetensors",
        (f"{CANNOT_LOAD}: Error while deserializing header", "/model)", WHOLE),
        lambda path: write(path / "model.safetensors", (path / "model.safetensors").read_bytes()[:5000]),
        *LABELLED[2:],
    ),
    model_row(
        "damaged evaluation",
        ("evaluation.json cannot be read", "/model)", "Get it again"),
        lambda path: write(path / "evaluation.json", "{"),
        "challenge",
    ),
    model_row(
        "damaged reference",
        ("reference.json cannot be read", "/model)", MODEL_AGAIN),
        lambda path: write(path / "reference.json", "{"),
        "watch",
        options=("--log", "{kept}/log"),
    ),
]


@rows([*MODELS, *PAIRS])
def test_a_model_that_cannot_be_used_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)
