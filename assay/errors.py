"""Define the exception whose message is written for the user."""


class InputError(ValueError):
    """An input that cannot be used: a file, a column, a label, a setting.

    The message is one line that states what is wrong, where (file, row, setting) and what to do. Commands print it
    last and exit with status 2. Nothing has been written when it is raised.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        message = ". ".join(part for part in (f"{what} ({where})" if where else what, fix) if part)
        # Messages of parsers may have several lines.
        super().__init__(" ".join(line.strip() for line in message.splitlines()))
