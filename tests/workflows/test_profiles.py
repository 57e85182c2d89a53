"""What tasks ask for by each profile, and that a pod reads the profile of the registration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiled import ROOT, Registered, compile_package, read_package, resources_of, tasks_alone, tasks_of
from flyteidl.admin import task_pb2

GPU = {"ASSAY_PROFILE": "gpu", "ASSAY_GPUS": "4", "ASSAY_NODES": "2", "ASSAY_ACCELERATOR": "H100"}
CPU = {"ASSAY_PROFILE": "cpu", "ASSAY_GPUS": "1", "ASSAY_NODES": "1", "ASSAY_ACCELERATOR": "A100"}
QUIET = {"GOMP_SPINCOUNT": "3000"}
"""Threads that wait sleep soon, beside what was decided."""


@pytest.fixture(scope="module")
def gpu() -> dict[str, task_pb2.TaskSpec]:
    return tasks_alone(["train", "evaluate", "seeds", "score", "register"], **GPU)


def test_what_was_decided_at_registration_holds_in_the_pod(
    gpu: dict[str, task_pb2.TaskSpec], registered: Registered
) -> None:
    for specs, decided in ((tasks_of(registered.specs), {**CPU, **QUIET}), (gpu, {**GPU, **QUIET})):
        for name, spec in specs.items():
            given = {pair.key: pair.value for pair in spec.template.container.env}
            assert given == decided, name
    command = "from tasks.train import train; print(train.task_config.nnodes, train.task_config.nproc_per_node)"
    run = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert run.stdout.split() == ["2", "4"], "which the elastic task reads when it is imported again"


@pytest.mark.full
def test_the_map_and_every_other_task_of_a_package_have_the_profile(tmp_path: Path) -> None:
    compile_package(tmp_path, **GPU)
    specs = tasks_of(read_package(tmp_path))

    for name, spec in specs.items():
        assert {pair.key: pair.value for pair in spec.template.container.env} == {**GPU, **QUIET}, name
    (scorer,) = (spec for name, spec in specs.items() if name.startswith("map_score_share"))
    assert resources_of(scorer)["GPU"] == "1"
    assert scorer.template.metadata.interruptible


def test_on_cpus_training_is_a_plain_pod_that_may_be_interrupted(registered: Registered) -> None:
    train = tasks_of(registered.specs)["train"].template

    assert train.type == "python-task"
    assert train.metadata.interruptible
    assert "GPU" not in resources_of(tasks_of(registered.specs)["train"])
    assert not train.extended_resources.HasField("gpu_accelerator")


def test_on_gpus_training_is_a_pytorch_job_with_accelerators_and_shared_memory(
    gpu: dict[str, task_pb2.TaskSpec],
) -> None:
    train = gpu["train"]

    assert train.template.type == "pytorch"
    assert resources_of(train)["GPU"] == "4"
    assert train.template.extended_resources.gpu_accelerator.device == "nvidia-h100"
    assert train.template.extended_resources.HasField("shared_memory")
    assert train.template.metadata.interruptible
    assert train.template.metadata.retries.retries == 3
    assert resources_of(gpu["evaluate"])["GPU"] == "1"
    assert resources_of(gpu["try_seed"])["GPU"] == "1", "it trains in one process"
    assert resources_of(gpu["score_share"])["GPU"] == "1"
    assert gpu["score_share"].template.metadata.interruptible
    assert "GPU" not in resources_of(gpu["register"])


def test_a_wrong_profile_says_what_to_set(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import tasks.train"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ASSAY_PROFILE": "tpu"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Set it to one of: laptop, cpu, gpu" in run.stderr
