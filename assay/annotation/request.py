"""The request of an annotation: the one definition behind `assay annotate`, its file, and the workflow."""

from dataclasses import dataclass, field

from assay.annotation.budget import Limits
from assay.annotation.judge import Judge, read_judges
from assay.annotation.pace import Pace
from assay.annotation.prompt import Prompt
from assay.errors import InputError
from assay.inference import SpanReader, span_reader
from assay.model import PACKAGED, Windows
from assay.options import group, written
from assay.rubric import load_rubric
from assay.sources import Columns, Period


@dataclass(frozen=True)
class AnnotationRequest:
    """Everything that decides the labels of a run, and how fast judges are asked."""

    source: str
    """Documents: snapshot, Parquet, JSONL or CSV as file, folder or URL, or hf://datasets/OWNER/NAME@REVISION."""
    judges: tuple[Judge, ...] = field(
        metadata=written(read_judges, many=True, name="judge", metavar="'MODEL[@URL] [SETTING=VALUE …]'"),
    )
    """Judge; may be given several times. MODEL@URL: a model behind a server of the chat-completions protocol, such as
    qwen3@http://localhost:8000/v1. column:NAME: answers that the source has in a column. shipped: those of the two
    raters of data/sample. Settings: name= (in tables), key= (variable with the key, default OPENAI_API_KEY),
    price=IN/OUT (of a million tokens each), temperature= (default 0; default: the server's), tokens= (most tokens of
    an answer, default 512)."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    rubric: str = "education"
    """Built-in name or Markdown file of the rubric."""
    people: tuple[str, ...] = ()
    """Column with the labels of a person, to compare the judges with; may be given several times. It makes no label."""
    repeats: int = 1
    """Number of times that each model judges each document."""
    encoder: str = PACKAGED
    """Encoder of the model to be trained, whose windows are shown to judges; words: windows of words, as the recipe
    lexical reads them."""
    windows: Windows = field(default_factory=Windows, metadata=group())
    """Windows of a document that judges are shown: those that the model will read."""
    budget: float | None = None
    """Money that the answers may cost, in the currency of the prices; answers of earlier runs count. No call is sent
    that could exceed it."""
    most_calls: int | None = None
    """Number of calls that may be charged; answers of earlier runs count."""
    pace: Pace = field(default_factory=Pace, metadata=group(title="pace of the questions"))
    """How fast judges are asked. It changes no answer."""

    def __post_init__(self) -> None:
        if not self.judges:
            raise InputError("no judge", where="judge", fix="Give a judge: MODEL@URL, column:NAME or shipped")
        if not 1 <= self.repeats <= 99:
            raise InputError(f"{self.repeats} repeats", where="repeats", fix="Give 1 to 99")
        priceless = [judge.name for judge in self.models if judge.price is None]
        if self.budget is not None and priceless:
            raise InputError(
                f"a budget of money, and no price of {priceless[0]}",
                where="budget",
                fix="Give price=IN/OUT of a million tokens, price=0/0 for a server of your own, or most_calls",
            )
        if self.repeats > 1 and not self.models:
            raise InputError(f"{self.repeats} repeats of a column", where="repeats", fix="Columns answer once")

    @property
    def models(self) -> tuple[Judge, ...]:
        """Judges that are asked over a network."""
        return tuple(judge for judge in self.judges if not judge.column)

    @property
    def limits(self) -> Limits:
        """The budget of the whole request."""
        return Limits(self.budget, self.most_calls)

    def prompt(self) -> Prompt:
        """Return the prompt of the rubric. Raise InputError if the rubric cannot be used."""
        rubric = load_rubric(self.rubric)
        if not rubric.text:
            raise InputError("this rubric has no text for judges", where=self.rubric, fix="Write it below the head")
        return Prompt(rubric)

    def reader(self) -> SpanReader:
        """Return what cuts documents into the windows that judges are shown."""
        return span_reader(self.encoder, self.windows)
