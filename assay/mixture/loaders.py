"""Weights of the cells as the loaders of training programs read them.

The weights are of the folders that `--materialise cells` writes: each document once, in the folder of its cell. Where a
program needs tokenized files, it reads those that were made of each folder, under the same name.
"""

import json
import re
from dataclasses import asdict
from typing import Any

import yaml

from assay.mixture.manifest import MixedCell, Mixture

CELLS = "cells"
NOTES = {
    "weights.json": "all figures of the cells",
    "weights.yaml": "the same as YAML",
    "megatron.txt": "weight and prefix of each cell, for --data-args-path of Megatron-LM",
    "nanotron.yaml": "folders with weights, for a data stage of nanotron (folders tokenized by datatrove)",
    "interleave.json": "probabilities for interleave_datasets of Hugging Face datasets",
}
"""Files, and what they are for."""


def folder_names(mixture: Mixture) -> dict[str, str]:
    """Return the name of each topic as a folder: letters, digits, `_`, `.` and `-`, no two alike."""
    found: dict[str, str] = {}
    for topic in dict.fromkeys(cell.topic for cell in mixture.cells):
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", topic).strip("._") or "all"
        name, number = plain, 1
        while name in found.values():
            number += 1
            name = f"{plain}-{number}"
        found[topic] = name
    return found


def cell_folder(cell: MixedCell, names: dict[str, str]) -> str:
    """Return the folder of a cell, relative to the mixture. Bins are numbered from the lowest quality, 0."""
    return f"{CELLS}/{names[cell.topic]}/bin-{cell.bin:02d}"


def loader_files(mixture: Mixture) -> dict[str, str]:
    """Return the text of each file by its name.

    Megatron-LM and nanotron draw sequences of equal tokens, so that their weights are shares of the tokens.
    `interleave_datasets` draws documents, so that its probabilities are shares of the documents, repeats included.
    """
    names = folder_names(mixture)
    rows: list[dict[str, Any]] = [
        {
            "folder": cell_folder(cell, names),
            **{name: value for name, value in asdict(cell).items() if name != "wanted"},
            "weight": cell.copied_tokens / mixture.copied_tokens,
            "probability": cell.copies / mixture.copies,
            "epochs": cell.copied_tokens / cell.tokens,
        }
        for cell in mixture.cells
        if cell.documents
    ]
    nanotron = {"data": {"dataset": {"dataset_folder": {row["folder"]: row["weight"] for row in rows}}}}
    interleave = {
        "folders": [row["folder"] for row in rows],
        "probabilities": [row["probability"] for row in rows],
        "seed": mixture.request["seed"],
        # A cell that is exhausted begins again, which is what repeats it.
        "stopping_strategy": "all_exhausted",
        "documents": mixture.copies,
    }
    plain = {"mixture": mixture.version, "tokens": mixture.copied_tokens, "documents": mixture.copies, "cells": rows}
    return {
        "weights.json": json.dumps(plain, indent=1) + "\n",
        "weights.yaml": yaml.safe_dump(plain, sort_keys=False),
        "megatron.txt": "".join(f"{row['weight']:.9f} {row['folder']}\n" for row in rows),
        "nanotron.yaml": yaml.safe_dump(nanotron, sort_keys=False),
        "interleave.json": json.dumps(interleave, indent=1) + "\n",
    }
