"""All workflows compile offline, and what is registered has its image, resources, retries and caches."""

from collections import OrderedDict
from dataclasses import dataclass, field

import pytest
from compiled import (
    PLANS,
    Registered,
    attributes_of_outputs,
    by_name,
    calls,
    mapped,
    resources_of,
    tasks_of,
    unstable_keys,
)
from flyteidl.admin import launch_plan_pb2, workflow_pb2
from flytekit import Cache, task, workflow
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

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
    "plan_cut",
    "count_scores",
    "plan_shards",
    "write_selected",
    "package_model",
    "check_serving",
    "write_curated",
}
NEVER_CACHED = {
    "resolve_training",
    "resolve_retraining",
    "summarise",
    "resolve_filtering",
    "plan_parts",
    "score_share",
    "summarise_filtering",
    "certify_cut",
    "measure_and_plan_parts",
    "measure_and_plan_rest",
    "plan_rest",
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
    "begin_rounds",
    "ask_judge",
    "train_and_choose",
    "finish_rounds",
    "resolve_annotation",
    "plan_questions",
    "ask_share",
    "write_labelled",
    "summarise_annotation",
    "plan_mixture",
    "scan_share",
    "join_pass",
    "finish_mixture",
}


@pytest.fixture(scope="module")
def cpu(registered: Registered) -> dict[str, object]:
    return registered.specs


def test_every_workflow_and_its_launch_plan_compile(cpu: dict[str, object]) -> None:
    workflows = {s.template.id.name for s in cpu.values() if isinstance(s, workflow_pb2.WorkflowSpec)}
    plans = {s.id.name for s in cpu.values() if isinstance(s, launch_plan_pb2.LaunchPlan)}

    expected = {
        "workflows.quickstart.quickstart",
        "workflows.training.train_quality_classifier",
        "workflows.filtering.filter_corpus",
        "workflows.cascade.filter_in_cascade",
        "workflows.corpus.build_snapshot",
        "workflows.labelling.label_in_rounds",
        "workflows.annotation.annotate",
        "workflows.mixing.mix_corpus",
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

    for name, started in PLANS.items():
        plan = plans[name]
        assert plan.workflow_id.name == started
        schedule = plan.entity_metadata.schedule
        assert len(schedule.cron_schedule.schedule.split()) == 5, name
        assert schedule.kickoff_time_input_arg == "kickoff"
        assert "kickoff" in package[started].interface.inputs.variables
        assert plan.concurrency_policy.max == (2 if name == "hourly_watch" else 1), name
        inputs = plan.default_inputs.parameters
        assert set(inputs) | set(plan.fixed_inputs.literals) == set(package[started].interface.inputs.variables)
        required = {key for key, value in inputs.items() if value.required}
        assert required <= {"kickoff"}, name


def test_a_watch_starts_the_retraining_as_the_plan_that_the_schedule_starts(cpu: dict[str, object]) -> None:
    watch = by_name(cpu, workflow_pb2.WorkflowSpec)["workflows.watch.watch_service"].template

    ((_, node),) = [(name, node) for name, node in calls(watch.nodes) if node.WhichOneof("target") == "workflow_node"]
    assert node.workflow_node.launchplan_ref.name == "retraining"
    inputs = by_name(cpu, workflow_pb2.WorkflowSpec)[PLANS["retraining"]].template.interface.inputs.variables
    assert {binding.var for binding in node.inputs} == set(inputs), "another would come from the plan's own table"


def test_a_failure_in_service_is_restored_by_a_node_of_its_own(cpu: dict[str, object]) -> None:
    workflows = {s.template.id.name: s.template for s in cpu.values() if isinstance(s, workflow_pb2.WorkflowSpec)}

    guarded = workflows["workflows.deployment.put_in_service"]
    assert guarded.failure_node.task_node.reference_id.name == "tasks.service.restore_service"
    for name in ("deploy_champion", "promote", "rollback"):
        nodes = workflows[f"workflows.deployment.{name}"].nodes
        assert "replace_service" in str(nodes), name


def test_every_task_names_the_image_and_requests_resources(cpu: dict[str, object]) -> None:
    for name, spec in tasks_of(cpu).items():
        assert spec.template.container.image == "registry.example/assay:1", name
        assert {"CPU", "MEMORY"} <= set(resources_of(spec)), name
        assert spec.template.metadata.retries.retries >= 2, name


def test_stages_are_cached_by_code_and_resolving_and_summaries_are_not(cpu: dict[str, object]) -> None:
    tasks = tasks_of(cpu)
    versions = {name: tasks[name].template.metadata.discovery_version for name in STAGES}

    assert all(len(version) == 64 for version in versions.values())
    assert len(set(versions.values())) == len(STAGES)
    assert all(tasks[name].template.metadata.discoverable for name in STAGES)
    for name in tasks.keys() - STAGES:
        assert tasks[name].template.metadata.discoverable == (mapped(name) in STAGES)
    assert list(tasks["acquire_documents"].template.metadata.cache_ignore_input_vars) == ["source"]
    assert list(tasks["train"].template.metadata.cache_ignore_input_vars) == ["tracking"]


def test_no_cache_is_keyed_by_an_attribute_of_an_output_with_several_encodings(cpu: dict[str, object]) -> None:
    assert unstable_keys(cpu) == []
    found = attributes_of_outputs(cpu)
    assert ("tasks.package.package_model", "version") in found, "text has one encoding"
    assert ("tasks.service.judge_version", "challenger") in found, "through a workflow"


@dataclass
class Planted:
    """An output with an attribute of text and one of several encodings."""

    name: str = ""
    settings: dict[str, int] = field(default_factory=dict)


@task
def give() -> Planted:
    return Planted()


@task(cache=Cache(version="1", ignored_inputs=("ignored",)))
def use(name: str, settings: dict[str, int], ignored: dict[str, int]) -> str:
    return name


@workflow
def pass_on(settings: dict[str, int]) -> str:
    return use(name="", settings=settings, ignored={})


@workflow
def planted() -> str:
    given = give()
    pass_on(settings=given.settings)
    return use(name=given.name, settings={}, ignored=given.settings)


def test_a_planted_attribute_would_be_found() -> None:
    settings = SerializationSettings(ImageConfig.auto(img_name="registry.example/assay:1"), "p", "d", "v")
    entities: OrderedDict[object, object] = OrderedDict()
    get_serializable(entities, settings, planted)
    specs = {str(number): spec.to_flyte_idl() for number, spec in enumerate(entities.values())}

    ((name, variable),) = unstable_keys(specs)

    assert (name.rsplit(".", 1)[-1], variable) == ("use", "settings")
