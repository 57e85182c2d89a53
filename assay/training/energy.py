"""What a training run took from the plug, where the machine counts it: processors by RAPL, GPUs by NVML."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
"""Linux' RAPL counters; readable for root alone on most systems, and hidden from most virtual machines."""
MICRO, MILLI = 1e-6, 1e-3


@dataclass
class EnergyMeter:
    """Joules since the last reading, of all counters of this machine, or nothing where there is none.

    Other programs on the machine are counted too: the counters are of sockets and boards.
    """

    counters: Sequence["Counter"]
    last: list[float] = field(default_factory=list)

    @classmethod
    def of_machine(cls, powercap: Path = POWERCAP) -> "EnergyMeter":
        """The counters that can be read now."""
        found: list[Counter] = [*_rapl(powercap), *_nvml()]
        meter = cls([counter for counter in found if counter.read() is not None])
        meter.joules()
        return meter

    def joules(self) -> float | None:
        """Of all counters since the last call; None where there is no counter, or one has fallen silent."""
        now = [counter.read() for counter in self.counters]
        if not now or any(value is None for value in now):
            return None
        values = [float(value or 0) for value in now]
        before, self.last = self.last or values, values
        spans = zip(self.counters, values, before, strict=True)
        # A counter that has run over begins at 0 again.
        return sum(value - old if value >= old else value - old + counter.largest for counter, value, old in spans)


@dataclass(frozen=True)
class Counter:
    """Joules that only rise, up to `largest`, from where they begin at 0 again."""

    path: Path | None
    largest: float
    device: object = None

    def read(self) -> float | None:
        """Now; None where it cannot be read."""
        if self.path is not None:
            with suppress(OSError, ValueError):
                return int(self.path.read_text()) * MICRO
            return None
        with suppress(Exception):  # pynvml raises its own, which are not known where it is not installed
            import pynvml

            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self.device)) * MILLI
        return None


def _rapl(folder: Path) -> list[Counter]:
    """One for each socket; the domains inside a socket are part of it."""
    counters = []
    for package in sorted(folder.glob("intel-rapl:[0-9]*")):
        with suppress(OSError, ValueError):
            if package.name.count(":") == 1:
                largest = int((package / "max_energy_range_uj").read_text()) * MICRO
                counters.append(Counter(package / "energy_uj", largest))
    return counters


def _nvml() -> list[Counter]:
    with suppress(Exception):
        import pynvml

        pynvml.nvmlInit()
        devices = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
        return [Counter(None, float("inf"), device) for device in devices]
    return []
