"""All workflows compile offline; what is registered asks for what it needs, and the shipped code is complete."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2

ROOT = Path(__file__).resolve().parents[2]
STAGES = {
    "acquire_documents",
    "validate_labels",
    "split_labels",
    "fit_baselines",
    "train",
    "calibrate_model",
    "try_seed",
    "evaluate",
    "prepare_further",
    "evaluate_further",
    "register",
    "track",
    "acquire_corpus",
    "select_documents",
    "package_model",
    "check_serving",
    "write_curated",
}
NEVER_CACHED = {
    "resolve_training",
    "summarise",
    "resolve_filtering",
    "plan_parts",
    "score_share",
    "summarise_filtering",
    "now",
    "summarise_quickstart",
    "plan_pieces",
    "make_share",
    "plan_search",
    "search_share",
    "summarise_build",
    "days_before",
    "plan_champion",
    "plan_rollback",
    "judge_version",
    "deploy_version",
    "prove_version",
    "move_champion",
    "conclude",
    "restore_service",
    "look_at_service",
    "tell_people",
    "record_look",
    "stay",
    "look_at_port",
    "serve_here",
}
PLANS = {
    "weekly_retraining": "workflows.retraining.retrain_and_redeploy",
    "nightly_filtering": "workflows.nightly.filter_new_documents",
    "hourly_watch": "workflows.watch.watch_service",
}


def package(folder: Path, **environment: str) -> dict[str, object]:
    """Name -> protobuf of everything that `make package` would register."""
    output = folder / "package.tgz"
    command = ["--pkgs", "workflows", "package", "--image", "assay=registry.example/assay:1", "--output", str(output)]
    pyflyte = str(Path(sys.executable).with_name("pyflyte"))
    run = subprocess.run(
        [pyflyte, "-c", "flyte.config.yaml", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found: dict[str, object] = {}
    with tarfile.open(output) as archive:
        for member in archive.getmembers():
            kind = {"_1.pb": task_pb2.TaskSpec, "_2.pb": workflow_pb2.WorkflowSpec, "_3.pb": launch_plan_pb2.LaunchPlan}
            for ending, message in kind.items():
                if member.name.endswith(ending):
                    spec = message()
                    spec.ParseFromString(archive.extractfile(member).read())
                    found[member.name] = spec
    return found


def tasks_of(packaged: dict[str, object]) -> dict[str, task_pb2.TaskSpec]:
    specs = [spec for spec in packaged.values() if isinstance(spec, task_pb2.TaskSpec)]
    return {spec.template.id.name.rsplit(".", 1)[-1]: spec for spec in specs}


def mapped(name: str) -> str:
    """The task behind a name; one that is mapped over a list has a node of its own, made of the task."""
    return re.sub("^map_(.*)_[0-9a-f]{32}-arraynode$", r"\1", name)


def resources_of(spec: task_pb2.TaskSpec) -> dict[str, str]:
    names = spec.template.container.resources.DESCRIPTOR.fields_by_name["requests"].message_type
    kind = names.fields_by_name["name"].enum_type.values_by_number
    return {kind[entry.name].name: entry.value for entry in spec.template.container.resources.requests}


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return package(tmp_path_factory.mktemp("cpu"))


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


def test_every_workflow_and_its_launch_plan_compile(cpu: dict[str, object]) -> None:
    workflows = {s.template.id.name for s in cpu.values() if isinstance(s, workflow_pb2.WorkflowSpec)}
    plans = {s.id.name for s in cpu.values() if isinstance(s, launch_plan_pb2.LaunchPlan)}

    expected = {
        "workflows.quickstart.quickstart",
        "workflows.training.train_quality_classifier",
        "workflows.filtering.filter_corpus",
        "workflows.corpus.build_snapshot",
        "workflows.deployment.put_in_service",
        "workflows.deployment.replace_service",
        "workflows.deployment.deploy_champion",
        "workflows.deployment.promote",
        "workflows.deployment.rollback",
        "workflows.retraining.retrain_and_redeploy",
        "workflows.nightly.filter_new_documents",
        "workflows.watch.watch_service",
    }
    assert workflows == expected
    assert plans == expected | set(PLANS)
    names = {mapped(name) for name in tasks_of(cpu)}
    assert names == STAGES | NEVER_CACHED


def test_scheduled_plans_run_one_at_a_time_and_lack_no_input(cpu: dict[str, object]) -> None:
    plans = {s.id.name: s.spec for s in cpu.values() if isinstance(s, launch_plan_pb2.LaunchPlan)}
    package = {s.template.id.name: s.template for s in cpu.values() if isinstance(s, workflow_pb2.WorkflowSpec)}

    for name, workflow in PLANS.items():
        plan = plans[name]
        assert plan.workflow_id.name == workflow
        schedule = plan.entity_metadata.schedule
        assert len(schedule.cron_schedule.schedule.split()) == 5, name
        assert schedule.kickoff_time_input_arg == "kickoff"
        assert "kickoff" in package[workflow].interface.inputs.variables
        assert plan.concurrency_policy.max == 1
        inputs = plan.default_inputs.parameters
        assert set(inputs) | set(plan.fixed_inputs.literals) == set(package[workflow].interface.inputs.variables)
        required = {key for key, value in inputs.items() if value.required}
        assert required <= {"kickoff"}, name


@pytest.mark.parametrize("name", PLANS)
def test_registering_wakes_no_plan(name: str) -> None:
    """Whether a plan wakes is no part of what is compiled: registration asks the object."""
    from workflows import launch_plans

    assert getattr(launch_plans, name).name == name
    assert getattr(launch_plans, name).should_auto_activate is False


def test_what_fails_in_service_is_restored_by_a_node_of_its_own(cpu: dict[str, object]) -> None:
    workflows = {s.template.id.name: s.template for s in cpu.values() if isinstance(s, workflow_pb2.WorkflowSpec)}

    guarded = workflows["workflows.deployment.put_in_service"]
    assert guarded.failure_node.task_node.reference_id.name == "tasks.service.restore_service"
    for name in ("deploy_champion", "promote", "rollback"):
        nodes = workflows[f"workflows.deployment.{name}"].nodes
        assert "replace_service" in str(nodes), name


@pytest.mark.full
def test_plans_of_another_environment_come_from_its_file(tmp_path: Path) -> None:
    text = (ROOT / "workflows" / "plans.toml").read_text()
    (tmp_path / "prod.toml").write_text(text.replace("0 3 * * 1", "0 4 * * 2"))
    found = package(tmp_path, ASSAY_PLANS=str(tmp_path / "prod.toml"))
    plans = {s.id.name: s.spec for s in found.values() if isinstance(s, launch_plan_pb2.LaunchPlan)}
    assert plans["weekly_retraining"].entity_metadata.schedule.cron_schedule.schedule == "0 4 * * 2"


@pytest.mark.parametrize("file", ["infra/flyte/dev/plans.toml", "infra/flyte/prod/plans.toml"])
def test_every_environment_has_plans_that_fit_the_workflows(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    from tasks.support.plans import read_plan

    monkeypatch.setenv("ASSAY_PLANS", str(ROOT / file))
    for name, workflow in PLANS.items():
        module, _, function = workflow.rpartition(".")
        interface = getattr(importlib.import_module(module), function).python_interface
        plan = read_plan(name, interface.inputs_with_defaults, "kickoff")
        assert len(plan.schedule.split()) == 5
        assert not {"registry", "scores", "ledger", "looks", "log"} & set(plan.inputs), "the environment says where"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[hourly_watch]", "[hourly]"), "no table [hourly_watch] with a schedule"),
        (('rubric = "education"', 'rubrik = "education"'), "unknown: rubrik"),
        (('test_set = "data/sample/documents.jsonl"', ""), "not given: test_set"),
        (("[", "[["), "no launch plans can be read"),
    ],
)
def test_plans_that_cannot_be_registered_say_why(
    change: tuple[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.errors import InputError
    from tasks.support.plans import read_plan
    from workflows.watch import watch_service

    text = (ROOT / "workflows" / "plans.toml").read_text()
    (tmp_path / "plans.toml").write_text(text.replace(*change))
    monkeypatch.setenv("ASSAY_PLANS", str(tmp_path / "plans.toml"))

    with pytest.raises(InputError) as raised:
        read_plan("hourly_watch", watch_service.python_interface.inputs_with_defaults, "kickoff")

    assert said in str(raised.value)
    assert "plans.toml" in str(raised.value)


def test_every_task_names_the_image_and_asks_for_resources(cpu: dict[str, object]) -> None:
    for name, spec in tasks_of(cpu).items():
        assert spec.template.container.image == "registry.example/assay:1", name
        assert {"CPU", "MEMORY"} <= set(resources_of(spec)), name
        assert spec.template.metadata.retries.retries >= 2, name


def test_stages_are_cached_by_code_and_what_looks_or_sums_up_is_not(cpu: dict[str, object]) -> None:
    tasks = tasks_of(cpu)
    versions = {name: tasks[name].template.metadata.discovery_version for name in STAGES}

    assert all(len(version) == 64 for version in versions.values())
    assert len(set(versions.values())) == len(STAGES)
    assert all(tasks[name].template.metadata.discoverable for name in STAGES)
    for name in tasks.keys() - STAGES:
        assert tasks[name].template.metadata.discoverable == (mapped(name) in STAGES)
    assert list(tasks["acquire_documents"].template.metadata.cache_ignore_input_vars) == ["source"]
    assert list(tasks["train"].template.metadata.cache_ignore_input_vars) == ["tracking"]


def test_on_cpus_training_is_a_plain_pod_that_may_be_interrupted(cpu: dict[str, object]) -> None:
    train = tasks_of(cpu)["train"].template

    assert train.type == "python-task"
    assert train.metadata.interruptible
    assert "GPU" not in resources_of(tasks_of(cpu)["train"])
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
    assert "Set it to one of: cpu, gpu" in run.stderr


IMPORT_ALL = """
import importlib, json, pathlib
here = pathlib.Path.cwd()
modules = [f"{top}.{path.stem}" for top in ("tasks", "workflows") for path in sorted((here / top).glob("*.py"))]
for name in modules:
    module = importlib.import_module(name.removesuffix(".__init__"))
    assert pathlib.Path(module.__file__).is_relative_to(here), module.__file__
import assay
from assay.rubric import builtin_rubrics, load_rubric
from assay.report import Report, render_html
from tasks.support.settings import source_location
assert pathlib.Path(assay.__file__).is_relative_to(here)
render_html(Report("the template is there"))
print(json.dumps({"modules": len(modules), "rubrics": [load_rubric(name).name for name in builtin_rubrics()],
                  "sample": pathlib.Path(source_location("data/sample/documents.jsonl")).is_file()}))
"""


def test_the_archive_that_is_shipped_imports_from_an_empty_folder(tmp_path: Path) -> None:
    import json

    from flytekit.constants import CopyFileDetection
    from flytekit.tools.fast_registration import FastPackageOptions, fast_package

    archive = fast_package(ROOT, str(tmp_path), False, FastPackageOptions([], copy_style=CopyFileDetection.ALL))
    pod = tmp_path / "pod"
    pod.mkdir()
    with tarfile.open(archive) as code:
        # Python 3.11.2, which Debian has, knows no filters yet.
        code.extractall(pod, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    assert not (pod / ".venv").exists()
    assert not (pod / "work").exists()

    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=pod,
        env={**environment, "PYTHONPATH": str(pod)},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["rubrics"] == ["education"]
    assert found["sample"]
    assert found["modules"] > 15
