"""What tasks ask for by each profile, and that a pod reads the profile of the registration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiled import ROOT, Registered, package, resources_of, tasks_of
from flyteidl.admin import task_pb2


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, task_pb2.TaskSpec]:
    return tasks_of(
        package(
            tmp_path_factory.mktemp("gpu"),
            ASSAY_PROFILE="gpu",
            ASSAY_GPUS="4",
            ASSAY_NODES="2",
            ASSAY_ACCELERATOR="H100",
        )
    )


def test_what_was_decided_at_registration_holds_in_the_pod(gpu: dict[str, task_pb2.TaskSpec]) -> None:
    for name, spec in gpu.items():
        given = {pair.key: pair.value for pair in spec.template.container.env}
        assert given == {
            "ASSAY_PROFILE": "gpu",
            "ASSAY_GPUS": "4",
            "ASSAY_NODES": "2",
            "ASSAY_ACCELERATOR": "H100",
        }, name
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
    (scorer,) = (spec for name, spec in gpu.items() if name.startswith("map_score_share"))
    assert resources_of(scorer)["GPU"] == "1"
    assert scorer.template.metadata.interruptible
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
