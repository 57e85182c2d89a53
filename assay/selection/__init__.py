"""Which documents: the best of a scored corpus for a budget of tokens, as a snapshot."""

__all__: list[str] = []
