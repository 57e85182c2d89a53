"""Energy: counters as files, as Linux has them; one that restarts at 0, and one that disappears."""

from pathlib import Path

import pytest

from assay.training.energy import EnergyMeter


def socket(folder: Path, name: str, microjoules: int, largest: int = 1_000_000_000) -> Path:
    (folder / name).mkdir()
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{largest}\n")
    return folder / name / "energy_uj"


def test_joules_of_all_sockets_since_the_last_reading(tmp_path: Path) -> None:
    first, second = socket(tmp_path, "intel-rapl:0", 5_000_000), socket(tmp_path, "intel-rapl:1", 900_000_000)
    socket(tmp_path, "intel-rapl:0:0", 1_000_000)  # the cores inside socket 0
    meter = EnergyMeter.of_machine(tmp_path)

    first.write_text("7500000\n")
    second.write_text("100000000\n")  # restarted at 0 after 1,000 J

    assert meter.joules() == pytest.approx(2.5 + 200)
    assert meter.joules() == 0


def test_without_counters_there_is_no_value(tmp_path: Path) -> None:
    assert EnergyMeter.of_machine(tmp_path / "nothing").joules() is None


def test_a_counter_that_disappears_is_not_counted_as_zero(tmp_path: Path) -> None:
    counter = socket(tmp_path, "intel-rapl:0", 5)
    meter = EnergyMeter.of_machine(tmp_path)

    counter.unlink()

    assert meter.joules() is None
