"""The stages as typed Flyte tasks. Each unpacks its inputs, calls the library, packs the result and draws its Deck."""
