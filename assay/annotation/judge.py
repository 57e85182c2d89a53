"""Who gives labels: a model behind the chat-completions protocol of OpenAI, or a column of the source."""

import re
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError, without_secrets

SHIPPED = ("rater_1", "rater_2")
"""Columns of data/sample that its two blind raters filled in: the judges that `shipped` names."""
COLUMN = "column:"
DEFAULT_KEY = "OPENAI_API_KEY"
FORM = (
    "Give MODEL, MODEL@URL, column:NAME or shipped; behind it, separated by spaces, name=, key=, price=IN/OUT, "
    "temperature= or tokens="
)
SETTINGS = ("name", "key", "price", "temperature", "tokens")


@dataclass(frozen=True)
class Judge:
    """One judge, with the settings on which its answers depend."""

    name: str
    """Name in tables and in the store of answers. The model's own name, unless another is given."""
    model: str = ""
    """Name of the model, as its server knows it. Empty for a column."""
    url: str = ""
    """Base URL of the server, such as http://localhost:8000/v1. Empty: OPENAI_BASE_URL, otherwise OpenAI's own."""
    key: str = DEFAULT_KEY
    """Environment variable with the key of the server. It need not be set for a server that wants none."""
    price: tuple[float, float] | None = None
    """Price of a million tokens of input and of output. None if unknown."""
    temperature: float | None = 0.0
    """Sampling temperature. None: the server's default, for models that accept no other."""
    tokens: int = 512
    """Most tokens of an answer. Those of hidden reasoning count."""
    column: str = ""
    """Column of the source that holds the answers. Empty for a model."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\s/\\]([^\s\\]*[^\s/\\])?", self.name):
            raise InputError(f"{self.name!r} is no name for a judge", fix="Give a name without spaces by name=")
        if self.url and without_secrets(self.url) != self.url:
            raise InputError("the URL of the judge holds a secret", where=self.url, fix="Give the key by key=VARIABLE")
        if self.tokens < 16:
            raise InputError(f"an answer of {self.tokens} tokens", where=self.name, fix="Give tokens=16 or more")
        if self.price is not None and min(self.price) < 0:
            raise InputError("a price below 0", where=self.name, fix="Give price=IN/OUT for a million tokens each")

    @classmethod
    def parse(cls, given: str) -> "Judge":
        """Read `TARGET [SETTING=VALUE …]`. Raise InputError for anything else."""
        target, *settings = given.split()
        values: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if name not in SETTINGS or not equals or not text:
                raise InputError(f"{setting!r} is no setting of a judge", where=given, fix=FORM)
            values[name] = _value(name, text, given)
        if target.startswith(COLUMN):
            column = target.removeprefix(COLUMN)
            if set(values) - {"name"} or not column:
                raise InputError("a column has no settings but name=", where=given, fix=FORM)
            return cls(values.get("name", column), column=column, temperature=None)
        model, mark, rest = target.partition("@http")
        url = f"http{rest}" if mark else ""
        return cls(**{"name": model, "model": model, "url": url, **values})

    def __str__(self) -> str:
        if self.column:
            name = f" name={self.name}" if self.name != self.column else ""
            return f"{COLUMN}{self.column}{name}"
        usual = Judge(self.model, self.model)
        given = {
            "name": self.name,
            "key": self.key,
            "price": "/".join(f"{price:.12g}" for price in self.price) if self.price else None,
            "temperature": "default" if self.temperature is None else f"{self.temperature:g}",
            "tokens": self.tokens,
        }
        shown = {**{name: getattr(usual, name) for name in given}, "temperature": "0"}
        changed = [f"{name}={value}" for name, value in given.items() if value != shown[name]]
        return " ".join([f"{self.model}@{self.url}" if self.url else self.model, *changed])

    @property
    def sampling(self) -> dict[str, Any]:
        """Return the settings on which an answer depends, beside judge and prompt."""
        return {"temperature": self.temperature, "max_tokens": self.tokens}

    def most(self, prompt_bytes: int) -> float:
        """Return the most that one call can cost, in the currency of `price`; 0 without a price.

        A token is at least one byte of UTF-8 in byte-level vocabularies, so that the bytes of a prompt bound its
        tokens. 64 more are for the marks of the chat template.
        """
        return self.cost(prompt_bytes + 64, self.tokens)

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Return the price of a call; 0 without a price."""
        price_in, price_out = self.price or (0.0, 0.0)
        return (tokens_in * price_in + tokens_out * price_out) / 1e6


def read_judges(given: list[str]) -> tuple[Judge, ...]:
    """Read judges, each as `Judge.parse`; `shipped` names the two raters of the sample.

    Raise InputError if two have one name.
    """
    judges: list[Judge] = []
    for entry in given:
        if not entry.strip():
            raise InputError("an empty judge", where="judge", fix=FORM)
        found = [COLUMN + name for name in SHIPPED] if entry.strip() == "shipped" else [entry]
        judges += [Judge.parse(each) for each in found]
    names = [grade_column(judge.name) for judge in judges]
    twice = next((judge.name for judge in judges if names.count(grade_column(judge.name)) > 1), None)
    if twice is not None:
        raise InputError(f"two judges are called {twice!r}", fix="Give one of them another name by name=")
    return tuple(judges)


def grade_column(name: str) -> str:
    """Return the column of a judge's grades in the labelled table."""
    return "grade_" + re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _value(name: str, text: str, where: str) -> Any:
    try:
        if name == "price":
            price_in, _, price_out = text.partition("/")
            return (float(price_in), float(price_out))
        if name == "temperature":
            return None if text == "default" else float(text)
        return int(text) if name == "tokens" else text
    except ValueError as error:
        raise InputError(f"{name}={text} cannot be read", where=where, fix=FORM) from error
