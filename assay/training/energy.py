"""Measure the energy of a training run, if the machine counts it: processors by RAPL, GPUs by NVML."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
"""RAPL counters of Linux. On most systems only root can read them, and most virtual machines have none."""
MICRO, MILLI = 1e-6, 1e-3
"""RAPL counts microjoules, NVML millijoules."""


@dataclass
class EnergyMeter:
    """Joules of all counters of this machine since the last reading.

    The energy of other programs on the machine is included, because counters belong to sockets and boards.
    """

    counters: Sequence["Counter"]
    last: list[float] = field(default_factory=list)
    """Last reading of each counter, in joules."""

    @classmethod
    def of_machine(cls, powercap: Path = POWERCAP) -> "EnergyMeter":
        """Return a meter of all counters that can be read now, with a first reading taken."""
        found: list[Counter] = [*_rapl(powercap), *_nvml()]
        meter = cls([counter for counter in found if counter.read() is not None])
        meter.joules()
        return meter

    def joules(self) -> float | None:
        """Return the joules of all counters since the last call. None if no counter exists, or one cannot be read.

        A part of the energy would be mistaken for the whole.
        """
        now = [counter.read() for counter in self.counters]
        if not now or any(value is None for value in now):
            return None
        values = [float(value or 0) for value in now]
        before, self.last = self.last or values, values
        spans = zip(self.counters, values, before, strict=True)
        # A counter that has reached its largest value starts again at 0.
        return sum(value - old if value >= old else value - old + counter.largest for counter, value, old in spans)


@dataclass(frozen=True)
class Counter:
    """A rising count of joules that starts again at 0 after `largest`."""

    path: Path | None
    """File of a RAPL counter. None for a GPU."""
    largest: float
    """Largest value, in joules."""
    device: object = None
    """NVML handle of a GPU."""

    def read(self) -> float | None:
        """Return the present value in joules. None if it cannot be read."""
        if self.path is not None:
            with suppress(OSError, ValueError):
                return int(self.path.read_text()) * MICRO
            return None
        with suppress(Exception):  # pynvml has its own exceptions, which cannot be named if it is not installed
            import pynvml

            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self.device)) * MILLI
        return None


def _rapl(folder: Path) -> list[Counter]:
    """Return one counter for each socket. Domains inside a socket are part of its counter."""
    counters = []
    for package in sorted(folder.glob("intel-rapl:[0-9]*")):
        with suppress(OSError, ValueError):
            if package.name.count(":") == 1:
                largest = int((package / "max_energy_range_uj").read_text()) * MICRO
                counters.append(Counter(package / "energy_uj", largest))
    return counters


def _nvml() -> list[Counter]:
    """Return one counter for each GPU. Empty without NVML."""
    with suppress(Exception):
        import pynvml

        pynvml.nvmlInit()
        devices = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
        return [Counter(None, float("inf"), device) for device in devices]
    return []
