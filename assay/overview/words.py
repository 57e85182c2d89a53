"""Format times, durations and counts for the page."""

import datetime


def time_of(text: str) -> datetime.datetime:
    """Parse a time in ISO 8601 with a time zone."""
    return datetime.datetime.fromisoformat(text)


def minute(text: str) -> str:
    """Return a time as `2026-01-31 12:00`, in UTC."""
    # A no-break space: else a narrow column breaks it into two lines.
    return f"{time_of(text).astimezone(datetime.UTC):%Y-%m-%d\N{NO-BREAK SPACE}%H:%M}"


def age(when: str, now: datetime.datetime) -> str:
    """Return the time from `when` to `now`, such as `3 days`, `5 hours` or `20 minutes`."""
    return span((now - time_of(when)).total_seconds())


def span(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    whole = round(max(seconds, 0.0))
    return f"{whole} second{'' if whole == 1 else 's'}"


def of_all(shown: int, there: int, what: str) -> str:
    """Return `Alarms: 12, the newest first.`, with the number shown if it is smaller."""
    count = f"{there:,}" if shown == there else f"the last {shown:,} of {there:,}"
    return f"{what}: {count}, the newest first."


def share(part: int, whole: int) -> str:
    """Return a share in per cent."""
    return f"{part / whole:.1%}" if whole else "unknown"


def plain(text: str) -> str:
    """Escape a text written by people, so that Markdown shows it as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+-.!|<>~&" else char for char in text)
