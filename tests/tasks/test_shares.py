"""The work of a map is passed by file: as literals, a large plan would be more than Flyte reads."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from flytekit import FlyteContextManager
from flytekit.core.type_engine import TypeEngine

from assay.curation import Piece
from assay.errors import InputError
from assay.scoring import Part
from tasks.curate import PieceShare, plan_pieces, plan_search
from tasks.score import Share, plan_parts
from tasks.support.shares import read_share, store_shares

LIMIT = 2 * 1024 * 1024
PARTS = [Part(1000 * number, 1000 * number + 1000) for number in range(95_326)]
PIECES = [Piece(number, (f"s3://bucket/crawl/segment/warc/CC-MAIN-{number:06d}.warc.gz",)) for number in range(14_400)]


@pytest.mark.parametrize(
    "shares",
    [
        [Share("s3://bucket/scores/key", PARTS[first::4]) for first in range(4)],
        [PieceShare("s3://bucket/pieces/key", PIECES[first::4]) for first in range(4)],
    ],
    ids=["parts", "pieces"],
)
def test_a_large_plan_is_a_small_literal_and_reads_the_same(shares: list) -> None:
    files = store_shares(shares)

    context = FlyteContextManager.current_context()
    kind = plan_parts.python_interface.outputs["shares"]
    literal = TypeEngine.to_literal(context, files, kind, TypeEngine.to_literal_type(kind))
    assert literal.to_flyte_idl().ByteSize() < LIMIT / 100
    assert len(json.dumps([asdict(share) for share in shares])) > LIMIT / 2, "which it was as a literal"
    assert [read_share(type(shares[0]), file) for file in files] == shares


def test_every_plan_of_a_map_gives_files() -> None:
    for task in (plan_parts, plan_pieces, plan_search):
        assert task.python_interface.outputs["shares"] == plan_parts.python_interface.outputs["shares"]


def test_a_damaged_share_is_named() -> None:
    (file,) = store_shares([Share("folder", PARTS[:2])])
    Path(file.path).write_text("{")
    with pytest.raises(InputError, match="this share of the work"):
        read_share(Share, file)
