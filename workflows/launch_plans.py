"""How scheduled workflows are registered. A plan is inactive; only `make register … ACTIVATE=1` activates it."""

from flytekit import CronSchedule, LaunchPlan
from flytekit.core.workflow import WorkflowBase
from flytekit.models.concurrency import ConcurrencyLimitBehavior, ConcurrencyPolicy

from tasks.support.plans import read_plan

KICKOFF = "kickoff"


def planned(name: str, workflow: WorkflowBase, *, at_once: int = 1) -> LaunchPlan:
    """Return the launch plan of that name, with at most `at_once` runs at a time: one more is not started.

    Flyte counts the runs of one name, whoever starts them. So whatever must not overlap is started by this plan alone.
    """
    plan = read_plan(name, workflow.python_interface.inputs_with_defaults, KICKOFF)
    return LaunchPlan.get_or_create(
        workflow,
        name=name,
        default_inputs=plan.inputs,
        schedule=CronSchedule(schedule=plan.schedule, kickoff_time_input_arg=KICKOFF),
        concurrency=ConcurrencyPolicy(max_concurrency=at_once, behavior=ConcurrencyLimitBehavior.SKIP),
        auto_activate=False,
    )
