"""Times, spans and counts in words."""

import datetime


def time_of(text: str) -> datetime.datetime:
    """Of ISO 8601 with a time zone."""
    return datetime.datetime.fromisoformat(text)


def minute(text: str) -> str:
    """`2026-01-31 12:00`, UTC, in one piece."""
    return f"{time_of(text).astimezone(datetime.UTC):%Y-%m-%d\N{NO-BREAK SPACE}%H:%M}"


def age(when: str, now: datetime.datetime) -> str:
    """From then to now: `3 days`, `5 hours`, `20 minutes`."""
    return span((now - time_of(when)).total_seconds())


def span(seconds: float) -> str:
    """In the largest unit of which there are two."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    whole = round(max(seconds, 0.0))
    return f"{whole} second{'' if whole == 1 else 's'}"


def of_all(shown: int, there: int, what: str) -> str:
    """`Alarms: 12, the newest first.`, or how many of them are shown."""
    count = f"{there:,}" if shown == there else f"the last {shown:,} of {there:,}"
    return f"{what}: {count}, the newest first."


def share(part: int, whole: int) -> str:
    """In per cent."""
    return f"{part / whole:.1%}" if whole else "not known"


def plain(text: str) -> str:
    """Words of people inside Markdown: shown, not obeyed."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+-.!|<>~&" else char for char in text)
