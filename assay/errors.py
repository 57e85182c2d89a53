"""The one exception that is a message to the user."""


class InputError(ValueError):
    """Something given to Assay cannot be used: a file, a column, a label, a setting.

    The message is one line that says what is wrong, where (file, row, setting) and what to do. Command
    lines print it last and leave with status 2; nothing has been written when it is raised.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        message = ". ".join(part for part in (f"{what} ({where})" if where else what, fix) if part)
        # Parsers explain themselves over several lines.
        super().__init__(" ".join(line.strip() for line in message.splitlines()))
