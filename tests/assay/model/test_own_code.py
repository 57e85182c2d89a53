"""Models and tokenizers that bring code of their own: it never runs, whatever the terminal answers."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
pathlib.Path({marker!r}).touch()
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast
class OwnConfig(BertConfig):
    model_type = "own"
class OwnModel(BertForSequenceClassification):
    config_class = OwnConfig
class OwnTokenizer(BertTokenizerFast):
    pass
"""
LOADS = """
import sys
from pathlib import Path
from assay.errors import InputError
from assay.inference import token_counter
from assay.model import ModelInfo, Windows, load_model, new_model
from assay.rubric import load_rubric
folder = sys.argv[1]
for load in (
    lambda: new_model(ModelInfo(folder, load_rubric("education"), Windows(24, 3)), seed=0),
    lambda: load_model(Path(folder)),
    lambda: token_counter(folder),
):
    try:
        load()
    except InputError as error:
        print(error)
"""


def test_code_of_a_model_or_tokenizer_never_runs(tmp_path: Path, tiny_model: Path) -> None:
    folder, marker = shutil.copytree(tiny_model, tmp_path / "own"), tmp_path / "ran"
    (folder / "own.py").write_text(CODE.format(marker=str(marker)))
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForSequenceClassification": "own.OwnModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer |= {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": [None, "own.OwnTokenizer"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_MODULES_CACHE": str(tmp_path / "modules")}

    done = subprocess.run(
        [sys.executable, "-c", LOADS, str(folder)], input="y\n" * 100, capture_output=True, text=True, env=environment
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout
    assert all("it brings code of its own" in line and str(folder) in line for line in lines)
    assert "y/N" not in done.stdout + done.stderr
    assert not marker.exists()
    assert not (tmp_path / "modules").exists() or not list((tmp_path / "modules").rglob("own.py"))


def test_every_load_says_that_it_trusts_no_code() -> None:
    call = re.compile(r"(?:Auto\w+\.from_pretrained|datasets\.load_dataset)\(")
    places = 0
    for folder in ("assay", "tasks", "workflows", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for found in call.finditer(text):
                places += 1
                assert "trust_remote_code=False" in text[found.end() : found.end() + 500], f"{path}: {found[0]}"
    assert places >= 4
