"""The curve of repeats over quality, and its mean over a bin.

    r(x) = a R min(1, y / k)^p,   y = max(0, (x - d) / (1 - d))

`x` is the share of the tokens with a lower quality, `d` the share that is discarded, `R` the largest repeat and `p` the
exponent. One number moves the curve from no token to all that are possible: at first the level `a` rises to 1, then
the knee `k`, from which on the repeat is R, falls from 1 to 0. So the tokens of a mixture never fall if it rises, and a
budget is met by bisection. The idea of a monotone curve with a limit, whose integral is the budget of a topic, is that
of Olmo 3 (allenai/dolma3, mixes/6T-1025/README.md); the family is another one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
STEPS = 64
"""Steps of a bisection between 0 and 1. After them no float lies between the ends, unless both are near 0."""


@dataclass(frozen=True)
class Curve:
    """A curve of repeats."""

    at: float
    """Position from 0, nothing, to 1, the largest repeat of all that is not discarded."""
    exponent: float
    discard: float
    max_repeat: int

    @property
    def level(self) -> float:
        """Return the repeat at the knee, as a share of the largest."""
        return min(1.0, 2 * self.at)

    @property
    def knee(self) -> float:
        """Return the place from which on the repeat is the largest, in the scale of y."""
        return min(1.0, 2 * (1 - self.at))

    def of(self, x: FloatArray) -> FloatArray:
        """Return the repeat at each place, shape (n,)."""
        y = self._y(x)
        if self.knee == 0:
            return np.where(y > 0, float(self.max_repeat), 0.0)
        inner = np.where(y > 0, np.minimum(1.0, y / self.knee) ** self.exponent, 0.0)
        return np.asarray(self.level * self.max_repeat * inner)

    def mean(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Return the mean repeat between two places, shape (n,). Where they are equal: the repeat there."""
        width = high - low
        area = self._area(self._y(high)) - self._area(self._y(low))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = area * (1 - self.discard) / width
        return np.clip(np.where(width > 0, mean, self.of(low)), 0, self.max_repeat)

    def _y(self, x: FloatArray) -> FloatArray:
        return np.clip((x - self.discard) / (1 - self.discard), 0, 1)

    def _area(self, y: FloatArray) -> FloatArray:
        """Return the integral from 0 to y."""
        flat = np.maximum(0, y - self.knee)
        if self.knee == 0:
            return self.max_repeat * flat
        rising = self.knee * (np.minimum(y, self.knee) / self.knee) ** (self.exponent + 1) / (self.exponent + 1)
        return np.asarray(self.level * self.max_repeat * (rising + flat))
