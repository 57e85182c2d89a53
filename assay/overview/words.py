"""Times, spans and counts in words."""

import datetime


def time_of(text: str) -> datetime.datetime:
    """Of ISO 8601 with a time zone."""
    return datetime.datetime.fromisoformat(text)


def minute(text: str) -> str:
    """`2026-01-31 12:00`, UTC."""
    return f"{time_of(text).astimezone(datetime.UTC):%Y-%m-%d %H:%M}"


def age(when: str, now: datetime.datetime) -> str:
    """From then to now: `3 days`, `5 hours`, `20 minutes`."""
    return span((now - time_of(when)).total_seconds())


def span(seconds: float) -> str:
    """In the largest unit of which there are two."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{max(seconds, 0.0):,.0f} seconds"


def of_all(shown: int, there: int, what: str) -> str:
    """`12 alarms`, or how many of them are shown."""
    return f"{there:,} {what}" if shown == there else f"The last {shown:,} of {there:,} {what}"


def share(part: int, whole: int) -> str:
    """In per cent."""
    return f"{part / whole:.1%}" if whole else "not known"


def plain(text: str) -> str:
    """Words of people inside Markdown: shown, not obeyed."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+-.!|<>~&" else char for char in text)
