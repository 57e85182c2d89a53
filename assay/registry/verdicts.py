"""Promotion by the verdict of `assay challenge`, or despite it with a reason; the registry keeps a copy of the verdict.

<registry>/verdicts/<sha256>.json    the file as `assay challenge` wrote it

`assay challenge` writes the copy. A verdict without one was written by hand, was edited, or was made with another
registry, and promotes nothing.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError
from assay.registry.aliases import AliasMove
from assay.registry.champion import CHAMPION, promote, require_reason
from assay.registry.registry import Registry
from assay.storage import create, exists, join, parse_json


@dataclass(frozen=True)
class Model:
    """A model that a verdict is about."""

    digest: str
    """Digest of the model folder, 64 hex digits; its version in a registry is the first 12."""


@dataclass(frozen=True)
class KeptVerdict:
    """The fields of a verdict file that a promotion reads. Other fields are ignored."""

    verdict: str
    """`promoted`, `refused` or `undecided`."""
    challenger: Model
    champion: Model | None
    """The model that the challenger was compared with. None if there was no champion."""
    sentence: str
    """The verdict and its reasons, for people."""


def keep_verdict(registry: str, verdict: bytes) -> None:
    """Write a copy of a verdict file, as its comparison wrote it, into a registry. The same file may be kept again."""
    with suppress(FileExistsError):  # a copy of the same bytes
        create(join(registry, _place(verdict)[0]), verdict)


def _place(verdict: bytes) -> tuple[str, str]:
    """Return the path of the copy in a registry, and its sha256."""
    sha256 = hashlib.sha256(verdict).hexdigest()
    return f"verdicts/{sha256}.json", sha256


def promote_with_verdict(
    registry: Registry,
    version: str,
    *,
    who: str,
    why: str,
    verdict: bytes | None = None,
    where: str = "",
    in_spite: str = "",
) -> AliasMove:
    """Make a version the champion because its verdict passed it, or for a reason despite the verdict.

    Return the champion's move. `verdict` is the content of a verdict file, of which the registry has a copy; `where`
    names the file in messages. `in_spite` is a reason to promote without a passed verdict.

    A promotion by a verdict holds only against the champion that the verdict compared with. A promotion with a reason
    holds against the current champion; the log keeps the reason and the verdict. Raise InputError if there is neither
    a passed verdict nor a reason, if the verdict is about another model or is not one of this registry, and as
    `promote` does.
    """
    require_reason(who, why)
    reason, found = in_spite.strip(), registry.get(version)
    read = _read(verdict, where) if verdict is not None else None
    if read and read.challenger.digest != found.digest:
        raise InputError(
            f"this verdict is about {read.challenger.digest[:12]}, not about {found.name}",
            where=where,
            fix=f"Run `assay challenge` with {found.name}, or promote the version that the verdict is about",
        )
    if not reason and (read is None or read.verdict != "promoted"):
        raise InputError(
            f"no verdict has passed {found.name}: {read.sentence if read else 'no verdict was given'}",
            where=where,
            fix="Give a verdict of `assay challenge` that passed it, or a reason to promote it despite the rules",
        )
    # These keys are in the logs of existing registries.
    evidence: dict[str, Any] = {"in spite of the gate": reason} if reason else {}
    if read and verdict is not None:
        kept, sha256 = _place(verdict)
        if not exists(join(registry.url, kept)):
            raise InputError(
                "this registry has no copy of this verdict: it was written or edited by hand, or for another registry",
                where=where,
                fix=f"Run `assay challenge` with {found.name} and --registry {registry.url}, or promote with a reason "
                "and without a verdict",
            )
        evidence |= {"verdict": kept, "sha256": sha256, "said": read.verdict, "sentence": read.sentence}
    if read and not reason:
        # The champion of the verdict, not the current one: if it changed since, `promote` refuses.
        against = read.champion.digest[:12] if read.champion else ""
    else:
        current = registry.alias(CHAMPION)
        against = current.version if current else ""
    return promote(registry, found.name, against=against, who=who, why=why, evidence=evidence)


def _read(data: bytes, where: str) -> KeptVerdict:
    return parse_json(
        KeptVerdict, data, what="this verdict", where=where, fix="Give a file that `assay challenge` wrote"
    )
