"""A budget of money and calls that stops before more is spent."""

import threading
from dataclasses import dataclass

from assay.errors import InputError


class SpentError(Exception):
    """The budget does not cover another call."""


@dataclass(frozen=True)
class Limits:
    """The most that the labels of one request may cost. Answers of earlier runs of the same request count."""

    money: float | None = None
    """Money, in the currency of the judges' prices. None: no limit."""
    calls: int | None = None
    """Calls of judges. None: no limit."""

    def __post_init__(self) -> None:
        if (self.money is not None and not self.money >= 0) or (self.calls is not None and self.calls < 0):
            raise InputError("a budget below 0", fix="Give 0 or more, or leave it out")

    def share(self, part: int, whole: int) -> "Limits":
        """Return the part of the limits for `part` of `whole` documents. All parts together are at most the whole."""
        money = None if self.money is None else self.money * part / whole
        return Limits(money, None if self.calls is None else self.calls * part // whole)


class Budget:
    """What is left of the limits. Each call reserves the most that it can cost before it is sent.

    Several threads may use it at once. A call whose price is not known, because its answer was lost, keeps its
    reservation: the server may have charged it.
    """

    def __init__(self, limits: Limits, *, spent: float = 0.0, calls: int = 0) -> None:
        self.limits = limits
        self.spent, self.calls = spent, calls
        self.unsure = 0.0
        """Money of calls whose answers were lost. It is part of `spent`."""
        self._held, self._open = 0.0, 0
        self._change = threading.Condition()

    def reserve(self, most: float) -> None:
        """Reserve one call that costs `most` at most. Raise SpentError if the limits do not cover it.

        It waits while calls that are open could give back enough of their reservations.
        """
        money, calls = self.limits.money, self.limits.calls
        with self._change:
            while True:
                fits = money is None or self.spent + self._held + most <= money * (1 + 1e-12)
                counted = calls is None or self.calls + self._open < calls
                if fits and counted:
                    self._held, self._open = self._held + most, self._open + 1
                    return
                over = money is not None and self.spent + most > money * (1 + 1e-12)
                if not self._open or over or (calls is not None and self.calls >= calls):
                    raise SpentError
                self._change.wait()

    def settle(self, most: float, cost: float | None) -> None:
        """Replace a reservation by the cost of the call; by all of it if the cost is None."""
        with self._change:
            self._close(most)
            self.calls += 1
            self.spent += most if cost is None else cost
            self.unsure += most if cost is None else 0.0
            self._change.notify_all()

    def release(self, most: float) -> None:
        """Give a reservation back: the server refused the call, which costs nothing."""
        with self._change:
            self._close(most)
            self._change.notify_all()

    def _close(self, most: float) -> None:
        self._open -= 1
        self._held = self._held - most if self._open else 0.0
