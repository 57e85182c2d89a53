"""The classifier online: a Bento of a registered version, the service in it, and the process that runs it."""

__all__: list[str] = []
