"""Labels from judges: how far to trust them, which documents to label, and what people say of the judge."""

__all__: list[str] = []
