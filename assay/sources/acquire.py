"""Copy a source into a snapshot, with its columns renamed to Assay's names."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from assay.dedup import text_digest
from assay.errors import InputError
from assay.options import named
from assay.progress import counter, say
from assay.sources.damage import listed
from assay.sources.names import free_names
from assay.sources.period import Period
from assay.sources.source import Source
from assay.storage import Snapshot, is_text, only_known_fields, valid_utf8, write_snapshot

RESERVED = ("id", "text", "label", "group", "label_weight", "judge", "by_reference")


@only_known_fields
@dataclass(frozen=True)
class Columns:
    """Names of the columns of a source. An empty name means that the source has no such column."""

    text: str = field(default="text", metadata=named("text_column"))
    """Column of the documents."""
    label: str = field(default="", metadata=named("label_column"))
    """Column of the labels: numbers from a judge or a person."""
    group: str = field(default="", metadata=named("group_by"))
    """Column of the groups: a site, an article, an author. Documents of one group stay in one part of the split."""
    weight: str = field(default="", metadata=named("weight_column"))
    """Column of the label weights in training, above 0: a judge's confidence, or the number of raters who agreed. A
    document of weight 50 moves the network as far as 50 of weight 1. Calibration, cut points, figures and gates count
    every document once."""
    id: str = field(default="", metadata=named("id_column"))
    """Column of stable ids. If empty: `id` if the source has it, otherwise the digest of the normalised text."""

    judge: str = field(default="", metadata=named("judge_column"))
    """Column that names who gave the label, if several judges did. Their labels are brought to the level of one of
    them: an offset and a slope for each, found on documents of like words."""
    reference_judge: str = ""
    """Judge whose level counts. Without it, the one with the most labels."""

    def roles(self) -> dict[str, str]:
        """Return role -> name of its column, for the roles that are given."""
        return {role: name for role, name in asdict(self).items() if name and role != "reference_judge"}

    def to_json(self) -> dict[str, str]:
        """Return plain JSON values for digests and provenance.

        Without roles that came later, where they are not used: what an earlier release made is still recognised.
        """
        plain = asdict(self)
        return {name: value for name, value in plain.items() if value or name not in ("judge", "reference_judge")}

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of ids and groups, if the source has them."""
        return tuple(filter(None, (self.id or "id", self.group)))

    def __post_init__(self) -> None:
        if self.reference_judge and not self.judge:
            raise InputError(
                f"the reference judge is {self.reference_judge!r}, and no column names the judges",
                fix="Give judge_column",
            )
        given = list(self.roles().values())
        if len(set(given)) < len(given):
            raise InputError(f"one column is named twice: {', '.join(given)}", fix="Give each role its own column")


def _strings(column: pa.Array, name: str, uri: str) -> pa.Array:
    """Return a column of ids or groups as text. Raise InputError for types without one text per row, such as lists."""
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowException as error:
        raise InputError(
            f"column {name!r} holds {column.type}, not text or numbers",
            where=uri,
            fix="Name a column of text or numbers",
        ) from error


def _numbers(column: pa.Array) -> pa.Array:
    """Return a column of labels as float64. Text that is not a number becomes null, which validation reports."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not is_text(column.type):
        return pc.cast(column, pa.float64())
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    try:
        return pc.cast(trimmed, pa.float64())
    except pa.ArrowException:
        return pa.array([_number(cell) for cell in trimmed.to_pylist()], pa.float64())


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return None


def text_of(batch: pa.RecordBatch, columns: Columns, uri: str) -> pa.Array:
    """Return the documents of a batch as valid UTF-8. Raise InputError if their column does not hold text."""
    text = batch[columns.text]
    if not is_text(text.type):
        raise InputError(
            f"column {columns.text!r} holds {text.type}, not text",
            where=uri,
            fix="Name the column of the documents",
        )
    return valid_utf8(text)


def canonical(batch: pa.RecordBatch, columns: Columns, uri: str) -> pa.RecordBatch:
    """Return a batch with its columns renamed to `id`, `text`, and `label`, `label_weight`, `group`, `judge` if given.

    `label_text` holds the labels that are no numbers, if their column is text; `by_reference` is True for labels by the
    reference judge.

    All other columns keep their names. Invalid UTF-8 becomes U+FFFD. Raise InputError if a column is missing, occurs
    twice, or holds the wrong type.
    """
    names = batch.schema.names
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InputError(f"column {repeated.pop()!r} occurs twice", where=uri, fix="Rename one of them")
    for role, name in columns.roles().items():
        if name not in names:
            pages = role == "text" and "html" in names
            raise InputError(
                "these are web pages, not texts" if pages else f"no column {name!r} for the {role}",
                where=uri,
                fix="Make a snapshot of their texts first: assay snapshot build"
                if pages
                else f"Name one of: {', '.join(sorted(names))}",
            )
    given = {name: valid_utf8(batch[name]) for name in names}
    text = text_of(batch, columns, uri)
    fields: dict[str, pa.Array] = {}
    id_column = columns.id or ("id" if "id" in names else "")
    if id_column:
        fields["id"] = _strings(given[id_column], id_column, uri)
    else:
        fields["id"] = pa.array([text_digest(value or "") for value in text.to_pylist()], pa.string())
    fields["text"] = pc.cast(text, pa.large_string())
    for role, name in (("label", columns.label), ("label_weight", columns.weight)):
        if not name:
            continue
        try:
            fields[role] = _numbers(given[name])
        except pa.ArrowException as error:
            raise InputError(
                f"column {name!r} holds {given[name].type}, not numbers",
                where=uri,
                fix="Name the column of the labels" if role == "label" else "Name the column of their weights",
            ) from error
    if columns.label and is_text(given[columns.label].type):
        # Kept for messages: a label such as `4/5` is no number, and null says nothing about it.
        words = pc.cast(given[columns.label], pa.string())
        fields["label_text"] = pc.if_else(pc.is_valid(fields["label"]), pa.scalar(None, pa.string()), words)
    if columns.group:
        fields["group"] = _strings(given[columns.group], columns.group, uri)
    used = {id_column, columns.text, columns.label, columns.weight, columns.group}
    if columns.judge:
        fields["judge"] = _strings(given[columns.judge], columns.judge, uri)
        if columns.reference_judge:
            fields["by_reference"] = pc.equal(fields["judge"], columns.reference_judge)
        # Under its own name it stays a column by which documents can be told apart.
        used |= {"judge"} & {columns.judge}
    # A column that has one of the reserved names by chance is kept, under another name.
    for name, kept in free_names([name for name in names if name not in used], {*RESERVED, *fields}).items():
        fields[kept] = given[name]
    return pa.record_batch(list(fields.values()), names=list(fields))


def changed(where: str) -> InputError:
    """Return the error for a source that changed while it was read. What was read of it is discarded."""
    return InputError(
        "the source changed while it was read", where=where, fix="Run the same again when nothing writes to it"
    )


def acquire(
    source: Source,
    columns: Columns,
    place: str | Path,
    *,
    period: Period | None = None,
    replace: bool = False,
    keep: bool = False,
) -> Snapshot:
    """Copy all rows of a source, or those of a period, valid or not, into a new snapshot at a path or URL.

    Columns are renamed as by `canonical`. `replace` and `keep` are those of `write_snapshot`. Raise InputError if a
    column is missing or holds the wrong type, if the files have different schemas, if no row is left, or if the source
    changes while it is read.
    """

    if source.passed:
        say(f"passed over: {listed(source.passed)}")
    before = source.revision

    def batches() -> Iterator[pa.RecordBatch]:
        seen = taken = timeless = 0
        with counter(unit=" rows", what="rows") as progress:
            for batch in source.batches(columns.text, columns.names):
                seen += batch.num_rows
                if period:
                    batch, unread = period.taken(batch, source.uri)
                    timeless += unread
                taken += batch.num_rows
                # An empty batch of the source still passes, so that `canonical` checks its columns.
                if batch.num_rows or not period:
                    yield canonical(batch, columns, source.uri)
                progress.update(batch.num_rows)
        if period:
            bounds = f"from {period.since or 'the beginning'} to {period.until or 'the end'}"
            say(f"{taken:,} of {seen:,} rows are {bounds}" + (f"; {timeless:,} have no time" if timeless else ""))
            if seen and not taken:
                raise InputError(
                    f"none of {seen:,} rows is {bounds}, by {period.column!r}",
                    where=source.uri,
                    fix="Give another period, or wait for newer rows",
                )
        # The copy would be kept under the revision of other content, and used again.
        if source.revision != before:
            raise changed(source.uri)

    provenance = {
        "sources": [{"uri": source.uri, "revision": before}],
        "config": {"columns": columns.to_json(), **({"period": asdict(period)} if period else {})},
    }
    return write_snapshot(place, batches(), provenance=provenance, replace=replace, keep=keep)
