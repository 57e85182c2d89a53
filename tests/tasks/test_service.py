"""The cause of a failure that the permanent logs keep: one line, whatever Flyte says of it."""

from tasks.service import CAUSE, cause_of

ON_A_CLUSTER = """Trace:

    Traceback (most recent call last):
      File "/opt/venv/lib/python3.11/site-packages/flytekit/core/base_task.py", line 762, in dispatch_execute
        native_outputs = self.execute(**native_inputs)
      File "/home/assay/code/tasks/service.py", line 90, in deploy_version
        return release.deploy(change)
    assay.deployment.target.FailedDeploymentError: the rollout made no progress (Deployment assay-serving in assay)

Message:

    FailedDeploymentError: the rollout made no progress (Deployment assay-serving in assay)
"""


def test_the_cause_is_the_message_of_the_exception_and_no_traceback() -> None:
    wanted = "FailedDeploymentError: the rollout made no progress (Deployment assay-serving in assay)"
    assert cause_of(ON_A_CLUSTER) == wanted
    assert cause_of(ON_A_CLUSTER[: ON_A_CLUSTER.index("Message:")]) == f"assay.deployment.target.{wanted}"
    assert cause_of("Error encountered while executing 'put_in_service':\n  it is full\n") == "it is full"


def test_a_message_of_several_lines_is_whole_and_short() -> None:
    assert cause_of("Trace:\n\n    x\nMessage:\n\n    OSError: one\n    two\n") == "OSError: one two"
    assert len(cause_of("Message:\n\n" + "long " * 1_000)) == CAUSE
    both = cause_of("Message:\n\nit failed: " + "long " * 1_000 + "off by 1")
    assert both.startswith("it failed: long") and both.endswith("off by 1") and len(both) == CAUSE
    for empty in ("", " \n", "Message:\n\n"):
        assert cause_of(empty) == "the cause is unknown"
