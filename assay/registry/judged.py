"""A promotion on the word of the gate, or in spite of it: what the verdict must say, and how it is kept."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError
from assay.registry.aliases import AliasMove
from assay.registry.champion import CHAMPION, promote, require_reason
from assay.registry.registry import Registry
from assay.storage import create, join


@dataclass(frozen=True)
class KeptVerdict:
    """What a promotion reads of a verdict file, which `assay challenge` writes."""

    said: str
    """`promoted`, `refused` or `undecided`."""
    challenger: str
    """Digest of the model that was judged."""
    champion: str
    """Digest of the one it was judged against; empty where there was none."""
    sentence: str
    sha256: str
    """Of the file."""

    @classmethod
    def read(cls, data: bytes, where: str) -> "KeptVerdict":
        """Raises InputError where it is no verdict."""
        try:
            fields: Mapping[str, Any] = json.loads(data)
            champion = fields["champion"]
            return cls(
                fields["verdict"],
                fields["challenger"]["digest"],
                champion["digest"] if champion else "",
                fields["sentence"],
                hashlib.sha256(data).hexdigest(),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"this is no verdict: {error!r}", where=where, fix="Give a file that `assay challenge` wrote"
            ) from error


def promote_judged(
    registry: Registry,
    version: str,
    *,
    who: str,
    why: str,
    verdict: bytes | None = None,
    where: str = "",
    in_spite: str = "",
) -> AliasMove:
    """Make a version the champion that the gate lets pass, or that a person answers for; returns the champion's move.

    `verdict`: content of a verdict file, of which a copy stays in the registry (`verdicts/<sha256>.json`); `where` it
    came from, for messages. The promotion is bound to the champion that the verdict was given against. `in_spite`: a
    reason to promote without a passed verdict, against whatever is champion now; it stands in the log beside what
    the gate said. Raises InputError without either, where the verdict is about another model, and as `promote` does.
    """
    require_reason(who, why)
    reason, found = in_spite.strip(), registry.get(version)
    judged = KeptVerdict.read(verdict, where) if verdict is not None else None
    if judged and judged.challenger != found.digest:
        raise InputError(
            f"this verdict is about {judged.challenger[:12]}, not about {found.name}",
            where=where,
            fix=f"Judge {found.name}, or promote the version that was judged",
        )
    if not reason and (judged is None or judged.said != "promoted"):
        raise InputError(
            f"the gate has not let {found.name} pass: {judged.sentence if judged else 'it was not asked'}",
            where=where,
            fix="Give a verdict of `assay challenge` that passed, or a reason to promote in spite of it",
        )
    evidence: dict[str, Any] = {"in spite of the gate": reason} if reason else {}
    if judged and verdict is not None:
        kept = f"verdicts/{judged.sha256}.json"
        with suppress(FileExistsError):
            create(join(registry.url, kept), verdict)
        evidence |= {"verdict": kept, "sha256": judged.sha256, "said": judged.said, "sentence": judged.sentence}
    current = registry.alias(CHAMPION)
    against = current.version if current else ""
    if judged and not reason:
        against = judged.champion[:12]
    return promote(registry, found.name, against=against, who=who, why=why, evidence=evidence)
