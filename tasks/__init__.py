"""The stages as typed Flyte tasks. Each unpacks its inputs, calls the library, packs the result and draws its Deck."""

from tasks.support.credentials import take_credentials

# Every pod imports this package before the module of its task, and before anything opens a store.
take_credentials()
