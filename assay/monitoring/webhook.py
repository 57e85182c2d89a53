"""Tells people: one POST to a URL, as plain JSON or in Slack's form, tried again for as long as it may take."""

import datetime
import email.utils
import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from assay.errors import InputError
from assay.progress import say

FORMS = ("json", "slack")
AGAIN = (408, 425, 429)
"""Statuses below 500 after which the same request may succeed."""


@dataclass(frozen=True)
class WebhookConfig:
    """Where to, and for how long."""

    url: str = field(repr=False)
    """http or https. It may hold a secret, as Slack's do: only its host is ever said."""
    form: str = "json"
    """`json`: what `WatchResult.to_json` gives; `slack`: a message for an incoming webhook, which others take, too."""
    tries: int = 5
    seconds: float = 10.0
    """For one try, from the connection to the end of the answer."""
    pause: float = 1.0
    """Seconds before the second try; doubled for each further one. What Retry-After asks for is granted instead."""
    most_pause: float = 60.0
    """Longest pause, whatever is asked for."""

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is none, half a bracket
            good = False
        if not good:
            raise InputError("this is no URL of a webhook", where=self.host, fix="Give one of http:// or https://")
        if self.form not in FORMS:
            raise InputError(f"no form {self.form!r} of a message", fix=f"Name one of: {', '.join(FORMS)}")
        for name in ("tries", "seconds", "most_pause"):
            if not 0 < getattr(self, name) < 86_400:
                raise InputError(f"{name} is {getattr(self, name)}", where="webhook", fix="Give a number above 0")
        if not 0 <= self.pause < 86_400:
            raise InputError(f"pause is {self.pause}", where="webhook", fix="Give 0 or more")

    @property
    def host(self) -> str:
        """Or `webhook`, where it names none."""
        try:
            return urllib.parse.urlsplit(self.url).hostname or "webhook"
        except ValueError:
            return "webhook"


def notify(message: dict[str, Any], config: WebhookConfig) -> str:
    """Post a message; what went wrong at last, in words, or nothing where it arrived. Never raises.

    `message` are plain JSON values; Slack's form takes `title`, `sentences` and `version` from them. A try that was
    answered too late may have arrived all the same: the message may come twice.
    """
    body = json.dumps(_slack(message) if config.form == "slack" else message).encode()
    pause, wrong = config.pause, ""
    for number in range(1, config.tries + 1):
        status, wrong, wanted = _try(body, config)
        if 200 <= status < 300:
            return ""
        if status and status < 500 and status not in AGAIN:
            break
        if number < config.tries:
            time.sleep(min(config.most_pause, pause if wanted is None else wanted))
            pause *= 2
    said = f"the webhook at {config.host} was not told, after {number} tries: {wrong}"
    say(said)
    return said


def _slack(message: dict[str, Any]) -> dict[str, Any]:
    """As incoming webhooks take it: `text` for notifications, blocks for the eye."""
    title = str(message.get("title", "Assay"))
    lines = [_escaped(str(sentence)) for sentence in message.get("sentences", ())]
    context = f"model {message.get('version', '')} · {message.get('window', '')}"
    bullets = "\n".join(f"• {line}" for line in lines)[:3000]
    return {
        "text": f"{_escaped(title)}: {lines[0] if lines else ''}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title[:150]}},
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": bullets or "–"},
            },
            {"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(context)[:2000]}]},
        ],
    }


def _escaped(text: str) -> str:
    """Slack takes these three for its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirected POST would become a GET, and be lost while it seems to arrive."""


def _try(body: bytes, config: WebhookConfig) -> tuple[int, str, float | None]:
    """Status, 0 where there was none; what went wrong; and the seconds that the server wants to be left alone."""
    found: list[tuple[int, str, float | None]] = []

    def ask() -> None:
        request = urllib.request.Request(
            config.url, body, {"Content-Type": "application/json", "User-Agent": "assay"}, method="POST"
        )
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=config.seconds) as answer:
                answer.read(65_536)
                found.append((answer.status, "", None))
        except urllib.error.HTTPError as error:
            found.append((error.code, f"it answered {error.code}", _retry_after(error.headers.get("Retry-After"))))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            found.append((0, f"{type(reason).__name__}", None))

    # A server that sends a byte now and then would outlast every timeout of a socket.
    thread = threading.Thread(target=ask, name="webhook", daemon=True)
    thread.start()
    thread.join(config.seconds)
    return found[0] if found else (0, f"no answer within {config.seconds:g} seconds", None)


def _retry_after(value: str | None) -> float | None:
    """Seconds, of a number of them or of a date."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    now = datetime.datetime.now(date.tzinfo)
    return max(0.0, (date - now).total_seconds())
