"""Report a drift look to people: one POST to a URL, as plain JSON or in Slack's form, retried for a bounded time."""

import json
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry, Timeout, make_headers

from assay.errors import InputError
from assay.progress import say

FORMS = ("json", "slack")
RETRIED = Retry(allowed_methods=None, status_forcelist={408, 425, 429, *range(500, 600)})
"""Statuses after which the same request may succeed."""


@dataclass(frozen=True)
class WebhookConfig:
    """The URL of a webhook, the form of a message, and the limits in time."""

    url: str = field(repr=False)
    """URL, http or https. It may hold a secret, as Slack's do: messages show only its host."""
    form: str = "json"
    """`json`: the fields of `WatchResult.to_json`. `slack`: a message for an incoming webhook of Slack, which other
    services accept too."""
    tries: int = 5
    """Requests at most, the first one included."""
    seconds: float = 10.0
    """Seconds for one try, from the connection to the end of the answer."""
    pause: float = 1.0
    """Seconds before the second try, doubled before each further one. If the server sends Retry-After, that time is
    used instead."""
    most_pause: float = 60.0
    """Longest pause in seconds, also for Retry-After."""

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # for a port that is no number, and for half a bracket
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
        """The host of the URL, or `webhook` if the URL names none."""
        try:
            return urllib.parse.urlsplit(self.url).hostname or "webhook"
        except ValueError:
            return "webhook"


@dataclass(frozen=True)
class Answer:
    """The result of one try."""

    status: int
    """HTTP status. 0 if the server did not answer."""
    error: str = ""
    """The reason why the message did not arrive, for people. Empty if it arrived."""
    wanted: float | None = None
    """Seconds of pause that the server requests in Retry-After."""


def notify(message: dict[str, Any], config: WebhookConfig) -> str:
    """Post a message. Return an empty string, or the reason why it did not arrive. Never raise.

    `message` holds plain JSON values; Slack's form uses its `title`, `sentences`, `version` and `window`. If a server
    answers too late, the message may have arrived and is sent again.
    """
    body = json.dumps(_slack(message) if config.form == "slack" else message).encode()
    answer = Answer(0)
    # The loop of `Retry` itself would not do: it makes no pause before the second try, it has no limit for Retry-After
    # of our own, and a try inside it cannot be given up (see `_bounded_try`).
    for number in range(1, config.tries + 1):
        answer = _bounded_try(body, config)
        if 200 <= answer.status < 300:
            return ""
        if answer.status and not RETRIED.is_retry("POST", answer.status):
            break
        if number < config.tries:
            doubled = config.pause * 2 ** (number - 1)
            time.sleep(min(config.most_pause, doubled if answer.wanted is None else answer.wanted))
    tries = "1 try" if number == 1 else f"{number} tries"
    wrong = f"the webhook at {config.host} did not accept the message: {answer.error} ({tries})"
    say(wrong)
    return wrong


def _slack(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message in the form of incoming webhooks: `text` for notifications, blocks for the channel.

    Slack refuses a message with a header over 150 or a section over 3,000 characters.
    """
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
    """Return a text with the three characters escaped that mark links and mentions in Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _bounded_try(body: bytes, config: WebhookConfig) -> Answer:
    """Post once, and give up after `config.seconds`."""
    found: list[Answer] = []
    # A timeout of a socket starts again with each byte and does not cover the resolution of a name: a server that
    # sends a byte now and then would outlast it. The thread is left behind; as a daemon it does not hold the process.
    thread = threading.Thread(target=lambda: found.append(_try(body, config)), name="webhook", daemon=True)
    thread.start()
    thread.join(config.seconds)
    return found[0] if found else Answer(0, f"no answer within {config.seconds:g} seconds")


def _try(body: bytes, config: WebhookConfig) -> Answer:
    try:
        with _pool(config.url) as pool:
            answer = pool.request(
                "POST",
                config.url,
                body=body,
                headers={"Content-Type": "application/json", "User-Agent": "assay"},
                timeout=Timeout(total=config.seconds),
                retries=False,
                redirect=False,  # a redirected POST becomes a GET: the message would be lost and seem to arrive
                preload_content=False,
            )
            if not 200 <= answer.status < 300:
                return Answer(answer.status, f"status {answer.status}", _retry_after(answer))
            answer.read(65_536)  # a status whose answer breaks off is no success
            return Answer(answer.status)
    except (HTTPError, OSError, ValueError) as error:
        return Answer(0, _reason(error))


def _pool(url: str) -> urllib3.PoolManager:
    """Return the connections to a host, through the proxy of the environment, which urllib3 does not read."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager()
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    auth = urllib.parse.unquote(urllib.parse.urlsplit(proxy).netloc.rpartition("@")[0])
    return urllib3.ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=auth) if auth else None)


def _reason(error: Exception) -> str:
    """Return the name of the fault below urllib3's own exceptions, whose texts show the URL with its secret."""
    inner = [each for each in error.args if isinstance(each, Exception)]
    return type(inner[-1] if inner else error.__cause__ or error).__name__


def _retry_after(answer: urllib3.BaseHTTPResponse) -> float | None:
    """Return the seconds of Retry-After, from now if it is a date. None if it is missing or no valid time."""
    try:
        return RETRIED.get_retry_after(answer)
    except InvalidHeader:
        return None
