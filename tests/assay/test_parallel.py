"""Processes that share work: the cores that they may use, their messages, and their end."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from assay import parallel
from assay.errors import InputError
from assay.parallel import Update, in_processes, usable_cores

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 3),
        ({"cpu.max": "6400000 100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu.max": "nonsense"}, 3),
        ({}, 3),
    ],
)
def test_a_quota_of_the_cgroup_counts_and_not_the_cores_of_the_node(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert usable_cores(tmp_path) == cores


def count(offset: int, share: int, update: Update) -> int:
    update(share, os.environ["OMP_NUM_THREADS"])
    return share + offset


def fail(share: int, update: Update) -> int:
    if share == 2:
        raise InputError("share 2 cannot be read", where="here")
    time.sleep(60)
    return 0


def die(share: int, update: Update) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_results_are_summed_and_messages_reach_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen: list[tuple[int, str]] = []

    def update(share: int, threads: str) -> None:
        seen.append((share, threads))

    total = in_processes(partial(count, 10), [1, 2, 3], update, processes=2, doing="counted", where="test")

    assert total == 36
    assert sorted(share for share, _ in seen) == [1, 2, 3]
    assert {threads for _, threads in seen} == {str(max(1, usable_cores() // 2))}


@pytest.mark.full
def test_the_first_error_ends_all_processes_and_a_dead_one_is_reported() -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=r"share 2 cannot be read \(here\)"):
        in_processes(fail, [1, 2], print, processes=2, doing="failed", where="test")
    assert time.monotonic() - started < 50, "the other share, which takes a minute, was not waited for"
    with pytest.raises(InputError, match=r"a process that died soon died \(test\)\. Run the same again"):
        in_processes(die, [1, 2], print, processes=2, doing="died soon", where="test")


WAITS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from tests.assay.test_parallel import wait
from assay.parallel import in_processes
if __name__ == "__main__":
    in_processes(wait, [1, 2], print, processes=2, doing="waited", where="test")
"""


def wait(share: int, update: Update) -> int:
    update(f"pid {os.getpid()}")
    time.sleep(600)
    return 0


@pytest.mark.full
def test_processes_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    run = subprocess.Popen([sys.executable, str(script), str(ROOT)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert run.stdout is not None
    pids = [int(run.stdout.readline().split()[1]) for _ in range(2)]

    run.kill()
    run.wait()

    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=20)
    assert not alive


def test_torch_uses_no_more_threads_than_there_are_cores(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from assay.inference import Scorer

    before = torch.get_num_threads()
    torch.set_num_threads(6)  # as if the host had many cores
    monkeypatch.setattr(parallel, "usable_cores", lambda: 3)
    try:
        Scorer.load(tiny_model)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(2)
        Scorer.load(tiny_model)
        assert torch.get_num_threads() == 2, "fewer were asked for"
    finally:
        torch.set_num_threads(before)


def test_threads_of_a_command_that_wait_sleep(tmp_path: Path) -> None:
    code = "import os; from assay.cli.main import main; main(['state', '--output', 'x'])"
    code += "; print(os.environ['GOMP_SPINCOUNT'])"
    variables = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}

    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**variables, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert run.stdout.split()[-1] == "3000"
