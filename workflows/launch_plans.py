"""The scheduled workflows. A registered plan is inactive; only `make register … ACTIVATE=1` activates it."""

from flytekit import CronSchedule, LaunchPlan
from flytekit.core.workflow import WorkflowBase
from flytekit.models.concurrency import ConcurrencyLimitBehavior, ConcurrencyPolicy

from tasks.support.plans import read_plan
from workflows.nightly import filter_new_documents
from workflows.retraining import retrain_and_redeploy
from workflows.watch import watch_service

KICKOFF = "kickoff"


def planned(name: str, workflow: WorkflowBase) -> LaunchPlan:
    """Return the launch plan of that name, with at most one run at a time: a run that would overlap is skipped."""
    plan = read_plan(name, workflow.python_interface.inputs_with_defaults, KICKOFF)
    return LaunchPlan.get_or_create(
        workflow,
        name=name,
        default_inputs=plan.inputs,
        schedule=CronSchedule(schedule=plan.schedule, kickoff_time_input_arg=KICKOFF),
        concurrency=ConcurrencyPolicy(max_concurrency=1, behavior=ConcurrencyLimitBehavior.SKIP),
        auto_activate=False,
    )


weekly_retraining = planned("weekly_retraining", retrain_and_redeploy)
nightly_filtering = planned("nightly_filtering", filter_new_documents)
hourly_watch = planned("hourly_watch", watch_service)
