"""The vectors of a corpus: what the output layer read of each document, as int8 with a scale, part by part.

    <root>/<key>-vectors/_space.json                          encoder and grid of the vectors
    <root>/<key>-vectors/rows-000000000000-000000005000.parquet   `scale` and `vector` of each document, in its order

A part of the vectors is written before that of the scores, so that where there are scores there are vectors.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference import Scorer, read_golden
from assay.model import MEANING, QualityModel, load_model, output_layer
from assay.scoring.plan import Part, PartFolder, Plan
from assay.scoring.sidecar import SCHEMA, PartFile
from assay.storage import (
    exists,
    join,
    only_known_fields,
    open_binary,
    open_parquet,
    parquet_bytes,
    parse_json,
    read_bytes,
    read_columns,
    write_bytes,
)

SPACE = "_space.json"
FOOTER = b"assay"
FIX = "Score the corpus again with --embeddings int8"
Vectors = NDArray[np.float32]


@only_known_fields
@dataclass(frozen=True)
class Encoder:
    """What the vectors of a model depend on: everything but its output layer."""

    backbone: str
    """Digest of all weights below the output layer."""
    tokens: int
    """Tokens of a window."""
    windows: int
    precision: str
    hidden: int
    """Length of a vector."""

    @classmethod
    def of(cls, model: QualityModel) -> "Encoder":
        """Return the encoder of a model."""
        head, digest = output_layer(model.network), hashlib.sha256()
        own = {id(parameter) for parameter in head.parameters()}
        for name, weight in sorted(model.network.named_parameters()):
            if id(weight) not in own:
                digest.update(name.encode())
                digest.update(weight.detach().cpu().numpy().tobytes())
        info = model.info
        return cls(digest.hexdigest(), info.windows.tokens, info.windows.count, info.precision, head.in_features)


def encoder_of(folder: Path) -> tuple[Encoder, QualityModel]:
    """Return the encoder of a model folder, and the model. Raise InputError for a lexical model."""
    model = load_model(folder)
    if not isinstance(model, QualityModel):
        raise InputError("a lexical model has no embeddings", where=str(folder), fix="Take a model with an encoder")
    return Encoder.of(model), model


def place_of(folder: PartFolder) -> str:
    """Return the folder of the vectors beside that of the scores."""
    return f"{folder.url.rstrip('/')}-vectors"


@only_known_fields
@dataclass(frozen=True)
class Space:
    """The space of the vectors: the encoder, and the grid that numbers are rounded to.

    What all vectors have in common is subtracted first, and each direction is divided by its spread: otherwise int8
    would spend its 255 steps on what is the same in every document.
    """

    encoder: Encoder
    center: tuple[float, ...]
    """Mean vector of the golden documents, shape (hidden,)."""
    spread: tuple[float, ...]
    """Standard deviation of each number among them, shape (hidden,)."""

    @classmethod
    def of(cls, encoder: Encoder, model: QualityModel, folder: Path) -> "Space":
        """Return the space of a model, whose golden documents are in its folder."""
        texts = [str(row["text"]) for row in read_golden(folder)]
        found = Scorer(model).read(texts, features=True).features
        assert found is not None
        spread = found.std(axis=0)
        even = np.where(spread > 1e-3 * spread.max(initial=0), spread, max(float(spread.max(initial=0)), 1e-6))
        return cls(encoder, tuple(found.mean(axis=0).astype(float).tolist()), tuple(even.astype(float).tolist()))


def write_space(folder: PartFolder, space: Space) -> None:
    """Write the space beside the vectors, unless it is there."""
    place = join(place_of(folder), SPACE)
    if not exists(place):
        write_bytes(place, (json.dumps(asdict(space)) + "\n").encode())


def read_space(folder: PartFolder) -> Space:
    """Read the space of the vectors. Raise InputError if there are none."""
    place = join(place_of(folder), SPACE)
    try:
        return parse_json(Space, read_bytes(place), what="this record of the vectors", where=place, fix=FIX)
    except FileNotFoundError as error:
        raise InputError("the vectors of these scores are missing", where=place, fix=FIX) from error


@dataclass(frozen=True)
class VectorFile:
    """The vectors of one part."""

    folder: PartFolder
    part: Part
    space: Space

    @property
    def url(self) -> str:
        """Path or URL of the file."""
        return join(place_of(self.folder), self.part.name)

    @property
    def place(self) -> str:
        """What the footer states of its place."""
        return json.dumps([self.folder.plan.key, self.part.start, self.part.stop])

    def write(self, vectors: Vectors) -> None:
        """Write vectors of shape (n, hidden) as int8: the largest number of a vector is 127 times its scale."""
        even = (vectors - np.array(self.space.center)) / np.array(self.space.spread)
        scale = np.abs(even).max(axis=1, initial=0) / 127
        whole = np.rint(even / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
        column = arrow.FixedSizeBinaryArray.from_buffers(
            arrow.binary(vectors.shape[1]), len(vectors), [None, arrow.py_buffer(np.ascontiguousarray(whole).tobytes())]
        )
        table = arrow.table({"scale": arrow.array(scale.astype(np.float32)), "vector": column})
        write_bytes(self.url, parquet_bytes(table, {FOOTER: self.place}))

    def read(self) -> Vectors:
        """Read the vectors, shape (n, hidden). Raise InputError if they are missing, damaged or of another part."""
        try:
            with open_binary(self.url) as raw:
                file = open_parquet(raw)
                if (found := file.metadata.metadata[FOOTER].decode()) != self.place:
                    raise ValueError(f"it is of {found}, not of {self.place}")
                table = read_columns(file, None)
            flat = b"".join(table["vector"].to_pylist())
            whole = np.frombuffer(flat, np.int8).reshape(table.num_rows, -1)
            even = whole * table["scale"].to_numpy().astype(np.float64)[:, None]
            return (even * np.array(self.space.spread) + np.array(self.space.center)).astype(np.float32)
        except InputError:
            raise
        except (OSError, arrow.ArrowException, AttributeError, KeyError, TypeError, ValueError) as error:
            words = str(error).splitlines() or [repr(error)]
            raise InputError(f"these vectors cannot be read: {words[0]}", where=self.url, fix=FIX) from error


def rescored(folder: PartFolder, part: Part, scorer: Scorer) -> pd.DataFrame:
    """Return the Sidecar of a part by another head over the vectors of earlier scores, without reading a text."""
    base = PartFolder.open(join(folder.url.rstrip("/").rpartition("/")[0], folder.plan.vectors))
    table = PartFile(base, part).read()
    model = scorer.model
    assert isinstance(model, QualityModel)
    head = output_layer(model.network)
    weight, bias = (values.detach().cpu().numpy().astype(np.float64) for values in (head.weight, head.bias))
    score_DR = VectorFile(base, part, read_space(base)).read() @ weight.T + bias
    scored = table["reason"].isna().to_numpy()
    table = table[[name for name in SCHEMA.names if name not in MEANING]]
    for number, aspect in enumerate(model.info.aspects):
        assert aspect.calibration is not None
        meaning = aspect.calibration.apply(np.where(scored, score_DR[:, number], 0.0))
        missing = np.where(scored, 0.0, np.nan)
        values = (
            score_DR[:, number] + missing,
            meaning.calibrated + missing,
            meaning.p_keep + missing,
            pd.arrays.IntegerArray(meaning.grade.astype(np.int64), ~scored),
            pd.arrays.BooleanArray(meaning.keep, ~scored),
        )
        table = table.assign(**dict(zip(aspect.columns if number else MEANING, values, strict=True)))
    return table


def plan_on_vectors(folders: list[PartFolder], plan: Plan, encoder: Encoder, root: str) -> Plan:
    """Return the plan that reads vectors of the same corpus by the same encoder.

    `folders`: complete scores below `root`. Raise InputError if none of them has such vectors.
    """
    with_vectors = [each for each in folders if each.plan.config.embeddings and each.plan.snapshot == plan.snapshot]
    known = {each.plan.key: read_space(each).encoder for each in with_vectors}
    same = [each for each in with_vectors if known[each.plan.key] == encoder]
    if not same:
        alike = [each for each in known.values() if each.backbone == encoder.backbone]
        what = "do not exist" if not known else "are of another encoder"
        if alike:
            other = alike[0]
            what = (
                f"were read with {other.windows} window(s) of {other.tokens} tokens in {other.precision}, and this "
                f"model reads {encoder.windows} of {encoder.tokens} in {encoder.precision}"
            )
        raise InputError(f"vectors of this corpus {what}", where=root, fix=f"{FIX}, by a model with this encoder")
    base = same[0].plan
    return replace(plan, config=replace(base.config, embeddings=""), tokenizer=base.tokenizer, vectors=base.key)
