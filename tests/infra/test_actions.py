"""The workflows of GitHub: few rights, pinned actions, and no step that a person could not run by the Makefile."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
COMMENTED = re.compile(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
# Permissions that jobs may request; `write` only for the token with which AWS identifies them.
RIGHTS = {"contents": "read", "id-token": "write"}
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)


class Loader(yaml.SafeLoader):
    """YAML in which `on` is a word, as GitHub reads it."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool" or first not in "oO"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> dict[str, Any]:
    return yaml.load(text, Loader)


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def faults(text: str) -> list[str]:
    """Return the faults of a workflow, each as a word and its place."""
    workflow, found = load(text), []
    triggers = workflow["on"]
    if "pull_request_target" in triggers or "workflow_run" in triggers:
        found.append("trigger: code of strangers would run with the rights of the repository")
    if workflow.get("permissions") != {}:
        found.append("permissions: a workflow gives none, each job names its own")
    if "concurrency" not in workflow:
        found.append("concurrency: runs of one branch pile up")
    for name, job in workflow["jobs"].items():
        if not set(job.get("permissions", {"all": ""}).items()) <= set(RIGHTS.items()):
            found.append(f"permissions: {name} requests {job.get('permissions')}")
        if "uses" not in job and "timeout-minutes" not in job:
            found.append(f"timeout: {name} may run for six hours")
    for used in [
        *(job.get("uses") for job in workflow["jobs"].values()),
        *(step.get("uses") for step in steps(workflow)),
    ]:
        if used and not used.startswith("./") and not PINNED.match(used):
            found.append(f"pin: {used}")
    for line in text.splitlines():
        if "uses:" in line and "@" in line and not COMMENTED.search(line):
            found.append(f"comment: {line.strip()}")
    for step in steps(workflow):
        if "actions/checkout" in step.get("uses", "") and step.get("with", {}).get("persist-credentials") is not False:
            found.append("checkout: its token stays on the disk")
        if EXPRESSION.search(step.get("run", "")):
            found.append(f"injection: {step['run']}")
    if re.search(r"\bsecrets[.\[]|secrets: inherit", text):
        found.append("secret: a long-lived key, where a token of the run would do")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_has_no_faults(file: Path) -> None:
    assert faults(file.read_text()) == []


PLANTED = """
on: {pull_request_target: {}}
permissions: write-all
jobs:
  a:
    runs-on: ubuntu-24.04
    permissions: {contents: write}
    steps:
      - uses: actions/checkout@v7
      - run: echo ${{ secrets.TOKEN }} ${{ github.head_ref }}
"""


def test_each_fault_would_be_seen() -> None:
    seen = {fault.partition(":")[0] for fault in faults(PLANTED)}
    assert seen == {
        *("trigger", "permissions", "concurrency", "timeout", "pin", "comment", "checkout", "injection", "secret")
    }


def test_one_action_has_one_version_everywhere() -> None:
    used = {line.split("uses: ")[1] for file in FILES for line in file.read_text().splitlines() if "uses: " in line}
    actions = [each.partition("@")[0] for each in used]
    assert len(actions) == len(set(actions)) > 5


def test_every_target_and_script_that_is_called_exists() -> None:
    called = [step["run"] for file in FILES for step in steps(load(file.read_text())) if "run" in step]
    targets = {target for run in called for target in re.findall(r"\bmake ([a-z-]+)", run)}
    assert {"lint", "lint-cloud", "test", "package", "setup", "register"} <= targets
    for target in targets:
        options = ["ENV=dev", "VERSION=v0"] if target == "register" else []
        run = subprocess.run(["make", "-n", target, *options], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
    scripts = {script for run in called for script in re.findall(r"bash (\S+\.sh)", run)}
    assert len(scripts) >= 3
    for script in scripts:
        assert subprocess.run(["bash", "-n", str(ROOT / script)], timeout=60).returncode == 0


def test_prod_is_registered_by_a_tag_after_dev_and_after_an_approval() -> None:
    release = load((ROOT / ".github/workflows/release.yml").read_text())
    assert release["on"] == {"push": {"tags": ["v*"]}}
    jobs = release["jobs"]
    assert jobs["register-prod"]["environment"] == "production", "its reviewers approve before a step of it runs"
    assert jobs["register-prod"]["needs"] == "register-dev" and jobs["register-dev"]["needs"] == "images"
    last = {name: jobs[name]["steps"][-1]["run"] for name in ("register-dev", "register-prod")}
    assert "ENV=prod" in last["register-prod"] and "ACTIVATE=1" in last["register-prod"]
    assert "ENV=dev" in last["register-dev"] and "ACTIVATE" not in last["register-dev"]
    active = [file.name for file in FILES if "ACTIVATE" in file.read_text()]
    assert active == ["release.yml"]


def test_a_pull_request_pushes_no_image_and_a_fork_plans_nothing() -> None:
    images, terraform = (load((ROOT / f".github/workflows/{name}.yml").read_text()) for name in ("images", "terraform"))
    for step in images["jobs"]["build"]["steps"]:
        if "push" in step.get("name", "").lower() or "configure-aws" in step.get("uses", ""):
            assert "github.event_name != 'pull_request'" in step["if"] or "inputs.version != ''" in step["if"]
    assert "head.repo.full_name == github.repository" in terraform["jobs"]["plan"]["if"]
    assert set(images["jobs"]["build"]["strategy"]["matrix"]["target"]) == {"task", "task-gpu", "serve"}


def test_a_plan_gets_its_role_from_an_environment_that_reviewers_protect() -> None:
    """A plan can read the database's password: no pull request may plan by itself, also one that edits the workflow."""
    plan = load((ROOT / ".github/workflows/terraform.yml").read_text())["jobs"]["plan"]
    environments = {each["environment"] for each in plan["strategy"]["matrix"]["include"]}
    trusted = re.search(r"plan = (\[.*\])", (ROOT / "infra/terraform/ci.tf").read_text())
    operations = (ROOT / "docs/operations.md").read_text()

    assert plan["environment"] == "plan-${{ matrix.environment }}"
    assert trusted and trusted[1] == '["environment:plan-${var.environment}"]'
    for name in environments:
        assert (ROOT / f"infra/terraform/environments/{name}.tfvars").is_file()
        assert f"`plan-{name}`" in operations
    for file in FILES:
        for job in load(file.read_text())["jobs"].values():
            if "PLAN_ROLE" in str(job):
                assert "environment" in job, file.name
