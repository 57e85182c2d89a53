"""`assay deploy` and `assay deployment …` as users call them."""

import json
from pathlib import Path
from typing import Any

import pytest
from cluster_stand_in import StandIn

from assay.cli.main import main
from assay.registry import Registry
from assay.serving import ask


@pytest.fixture
def in_cluster(kubeconfig: Path, versions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("ASSAY_DEPLOY_TARGET", "kubernetes")
    monkeypatch.setenv("ASSAY_REGISTRY", versions.registry)


def test_a_cluster_follows_the_champion_and_goes_back(
    versions, cluster: StandIn, in_cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        return status, capsys.readouterr().out.strip()

    Registry(versions.registry).ensure_alias("champion", versions.first, who="a test", why="it is the first")
    assert printed("deployment", "status") == (1, "nothing: no version was deployed")
    where = "http://assay-serving.assay.svc"
    assert printed("deploy", "champion") == (0, f"{versions.first} serves at {where}")
    assert printed("deploy", versions.first[:8]) == (0, f"{versions.first} served already at {where}")
    assert printed("deploy", versions.second) == (
        0,
        f"{versions.second} serves at {where}; before it, {versions.first}",
    )
    status, words = printed("deployment", "status", "--json")
    assert (status, json.loads(words)["version"]) == (0, versions.second)
    assert printed("deployment", "rollback") == (0, f"{versions.first} serves again at {where}")
    assert printed("deployment", "rollback") == (0, f"{versions.first} was restored already at {where}")
    assert cluster.serving == {versions.first}


@pytest.mark.full
def test_a_failed_deployment_ends_with_one_line_on_the_version_that_serves(
    versions, cluster: StandIn, in_cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", versions.first]) == 0
    cluster.bad[versions.bad] = "never ready"
    capsys.readouterr()

    assert main(["deploy", versions.bad, "--within", "8"]) == 2

    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"assay deploy: version {versions.bad} was not deployed, {versions.first} was restored")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["deploy", "nothing-like-it"], "no version 'nothing-like-it'"),
        (["deploy", "VERSION", "--target", "moon"], "there is no target 'moon'"),
        (["deploy", "VERSION", "--port", "many"], "--port is 'many'. Give a whole number"),
        (["deploy", "VERSION", "--port", "0"], "there is no port 0"),
        (["deploy", "VERSION", "--within", "soon"], "--within is 'soon'. Give a number"),
        (["deploy", "VERSION", "--within", "0"], "Give seconds above 0"),
        (["deploy", "VERSION", "--folder", "s3://x/y"], "s3://x/y is a URL"),
        (["deployment", "rollback"], "no version to roll back to"),
        (["deployment", "stop", "--target", "kubernetes"], "a cluster is not stopped from here"),
    ],
)
def test_bad_requests_end_with_one_clear_line_and_change_nothing(
    versions,
    cluster: StandIn,
    in_cluster: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.setenv("ASSAY_DEPLOY_TARGET", "local")
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "work"))
    assert main([versions.first if each == "VERSION" else each for each in arguments]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"assay {arguments[0]}: ")
    assert complaint in last
    assert not cluster.patches
    assert not (tmp_path / "work/deployment/serving.json").exists()


@pytest.mark.full
def test_this_machine_serves_until_it_is_stopped(
    versions, local: Any, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("ASSAY_DEPLOY_PORT", str(port))
    url = f"http://127.0.0.1:{port}"

    assert main(["deploy", versions.first, "--registry", versions.registry]) == 0
    assert main(["deployment", "status"]) == 0
    assert ask(url, "/readyz")[1]["version"] == versions.first
    assert main(["deployment", "stop"]) == 0
    assert main(["deployment", "status"]) == 1

    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{versions.first} serves at {url}"
    assert out[-1] == f"nothing: nothing is served; {versions.first} served last"
    with pytest.raises(OSError):
        ask(url, "/readyz")
