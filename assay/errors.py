"""Define the exception whose message is written for the user, and keep secrets out of what users see."""

import re

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^\s/@?#'\"]*)@)?(?P<rest>[^\s?#'\"]*)(?P<query>\?[^\s#'\")]*)?",
    re.IGNORECASE,
)
_WEB = ("http", "https", "ftp", "sftp", "ssh")


def without_secrets(text: str) -> str:
    """Return a text without what may be a secret in its URLs: user and password, and the values of a query.

    A signed URL carries its signature in the query. The name before the `@` stays where it names a container
    (`abfs://data@account…`).
    """

    def shown(url: re.Match[str]) -> str:
        scheme, user, rest, query = url.group("scheme", "user", "rest", "query")
        if user and (":" in user or scheme.lower() in _WEB):
            user = "…"
        if query and "=" in query:
            query = "?…"
        return f"{scheme}://{user}@{rest}{query or ''}" if user else f"{scheme}://{rest}{query or ''}"

    return _URL.sub(shown, text) if "://" in text else text


class InputError(ValueError):
    """An input that cannot be used: a file, a column, a label, a setting.

    The message is one line that states what is wrong, where (file, row, setting) and what to do. Commands print it
    last and exit with status 2. Nothing has been written when it is raised.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        message = ". ".join(part for part in (f"{what} ({where})" if where else what, fix) if part)
        # Messages of parsers may have several lines.
        super().__init__(without_secrets(" ".join(line.strip() for line in message.splitlines())))
