"""The stages as typed Flyte tasks: each unpacks, calls the library, packs, and draws its Deck."""
