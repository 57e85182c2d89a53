"""A process whose start was interrupted or failed does not stay."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psutil
import pytest

from assay.deployment.start import start_server
from assay.errors import InputError
from assay.serving import Bento

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def runners(folder: Path) -> list[psutil.Process]:
    """Return the runners of this folder that are alive."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if str(folder) in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for process in runners(tmp_path):
        process.kill()


def left(folder: Path) -> list[psutil.Process]:
    """Return the runners that have not ended after a while."""
    deadline = time.monotonic() + 20
    while (there := runners(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return there


def test_a_server_whose_start_is_interrupted_ends(folder: Path) -> None:
    """The process is still importing, and has not written its record yet."""

    def stop(number: int, frame: FrameType | None) -> None:
        assert runners(folder)
        raise KeyboardInterrupt

    (folder / "slow").mkdir()
    (folder / "slow" / "assay.py").write_text("import time; time.sleep(600)")
    slow = {**ENVIRONMENT, "PYTHONPATH": str(folder / "slow")}
    bento, before = Bento(folder / "none", "assay", "a" * 12), signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        with pytest.raises(KeyboardInterrupt):
            start_server(folder, bento, slow, 60)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert left(folder) == []

    with pytest.raises(InputError, match=r"the server is not ready after 0\.3 s"):
        start_server(folder, bento, slow, 0.3)
    assert left(folder) == []


def test_the_error_of_a_server_that_dies_is_reported(folder: Path) -> None:
    bento = Bento(folder / "none", "assay", "a" * 12)

    with pytest.raises(InputError, match=r"no Bento: bento\.yaml is missing"):
        start_server(folder, bento, ENVIRONMENT, 60)
    (folder / "broken").mkdir()
    (folder / "broken" / "assay.py").write_text("raise SystemExit('these are its last words')")
    with pytest.raises(InputError, match="these are its last words"):
        start_server(folder, bento, {**ENVIRONMENT, "PYTHONPATH": str(folder / "broken")}, 60)
