"""Workflows that put versions in service, on this machine: clients reach a proved version, or the former one."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from tiny_versions import Versions, free_port, registry_of

from assay.deployment import open_target
from assay.deployment.settings import parse_target
from assay.deployment.target import FailedDeploymentError
from assay.registry import CHAMPION, PREVIOUS, DecisionLog, Registry
from assay.serving import ask


@dataclass
class House:
    """A registry of its own, and a place that serves its versions."""

    registry: Registry
    target: str
    versions: Versions
    token: str = ""

    @property
    def champion(self) -> str:
        move = self.registry.alias(CHAMPION)
        return move.version if move else ""

    @property
    def serving(self) -> str:
        """The version that answers a client."""
        settings = parse_target(self.target)
        url, documents = f"http://127.0.0.1:{settings['port']}", [{"id": "a", "text": "Water boils."}]
        status, answers = ask(url, "/score", {"documents": documents}, token=self.token)
        assert status == 200
        return str(answers[0]["model"]["version"])

    def lead(self, version: str) -> None:
        """Make a version champion and put it in service, if it is not already."""
        self.registry.move_alias(CHAMPION, version, who="test", why="to begin with", evidence={}, after=None)
        open_target(parse_target(self.target), self.registry.url).deploy(version)

    @property
    def inputs(self) -> dict[str, str]:
        """Inputs of all workflows."""
        return {"registry": self.registry.url, "target": self.target}


def stop(house: House) -> None:
    open_target(parse_target(house.target), house.registry.url).stop()  # type: ignore[attr-defined]


@pytest.fixture
def house(versions: Versions, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house in which nothing serves yet."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = House(registry_of(versions, tmp_path), f"local,folder={tmp_path / 'deployment'},port={port}", versions)
    yield made
    stop(made)


@pytest.fixture(scope="module")
def place(versions: Versions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A target that tests use one after the other: each begins with the version that the one before left in service."""
    folder = tmp_path_factory.mktemp("place")
    target = f"local,folder={folder / 'deployment'},port={free_port()}"
    yield target
    stop(House(registry_of(versions, folder), target, versions))


@pytest.fixture
def led(versions: Versions, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with a champion that serves."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = House(registry_of(versions, tmp_path), place, versions)
    made.lead(versions.first)
    return made


@pytest.mark.full
def test_the_champion_is_served_and_a_second_run_does_nothing(house: House) -> None:
    from workflows.deployment import deploy_champion

    house.registry.move_alias(CHAMPION, house.versions.first, who="test", why="begin", evidence={}, after=None)

    first = deploy_champion(**house.inputs)
    second = deploy_champion(**house.inputs)

    assert (first.outcome, first.serving, house.serving) == ("deployed", house.versions.first, house.versions.first)
    assert any("golden documents" in event for event in first.events)
    assert any("smoke test" in event for event in first.events)
    assert any("serves already" in event for event in second.events)
    log = DecisionLog(house.registry.url)
    assert [decision.number for decision in log.history()] == [1, 2]
    page = Path(log.page_of(second)).read_text()
    assert "serves already" in page
    assert house.versions.first in page


@pytest.mark.full
def test_a_champion_that_does_not_prove_itself_leaves_the_old_one_serving_and_is_reported(led: House) -> None:
    from workflows.deployment import deploy_champion

    current = led.registry.alias(CHAMPION)
    led.registry.move_alias(CHAMPION, led.versions.bad, who="test", why="by hand", evidence={}, after=current)

    with pytest.raises(FailedDeploymentError, match=f"{led.versions.first} still serves"):
        deploy_champion(**led.inputs)

    assert led.serving == led.versions.first
    (decision,) = DecisionLog(led.registry.url).history()
    assert decision.outcome == "failed"
    assert decision.serving == led.versions.first
    assert "off by" in decision.sentence


@pytest.fixture
def labelled(sample: list[dict], tmp_path: Path) -> Path:
    file = tmp_path / "test.parquet"
    pd.DataFrame(sample[60:400]).to_parquet(file, index=False)
    return file


@pytest.mark.full
def test_a_challenger_that_the_rules_refuse_changes_nothing(led: House, labelled: Path) -> None:
    from workflows.deployment import promote

    decision = promote(challenger=led.versions.second, data=str(labelled), **led.inputs)

    assert decision.outcome == "kept"
    assert led.serving == led.champion == led.versions.first
    assert "refused" in decision.sentence or "undecided" in decision.sentence
    page = Path(DecisionLog(led.registry.url).page_of(decision)).read_text()
    assert "All rules must be kept" in page


@pytest.mark.full
def test_with_a_reason_it_serves_and_is_rolled_back_with_another(led: House, labelled: Path) -> None:
    from workflows.deployment import promote, rollback

    given = promote(challenger=led.versions.second, data=str(labelled), in_spite="it is wanted", **led.inputs)

    assert given.outcome == "promoted"
    assert led.serving == led.champion == led.versions.second
    move = led.registry.alias(CHAMPION)
    assert move is not None
    assert move.evidence["in spite of the gate"] == "it is wanted"
    assert json.loads((Path(led.registry.url) / move.evidence["verdict"]).read_text())["verdict"] != "promoted"

    back = rollback(why="it was not wanted after all", **led.inputs)

    assert back.outcome == "rolled back"
    assert led.serving == led.champion == led.versions.first
    again = led.registry.alias(PREVIOUS)
    assert again is not None
    assert again.version == led.versions.first


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("deploy", marks=pytest.mark.full),
        pytest.param("smoke test", marks=pytest.mark.full),
        pytest.param("champion", marks=pytest.mark.full),
    ],
)
def test_at_whatever_stage_the_service_fails_the_champion_keeps_serving(
    house: House, labelled: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The faults: wrong golden documents, a refused client, and a registry that loses the version."""
    from workflows.deployment import promote

    if stage == "smoke test":  # the client has a token that the service refuses
        house.token = "a-token-that-is-long-enough"
        monkeypatch.setenv("ASSAY_SERVE_TOKENS", house.token)
        monkeypatch.setenv("ASSAY_DEPLOY_TOKEN", "another-token-altogether")
    house.lead(house.versions.first)
    challenger = house.versions.bad if stage == "deploy" else house.versions.second
    if stage == "champion":

        def lose() -> None:
            while house.serving != challenger:
                time.sleep(0.01)
            shutil.rmtree(Path(house.registry.url) / "versions" / challenger)

        threading.Thread(target=lose, daemon=True).start()

    with pytest.raises(Exception, match=r"golden documents|off by|no version"):
        promote(challenger=challenger, data=str(labelled), in_spite="planted", **house.inputs)

    assert house.champion == house.versions.first
    assert house.serving == house.versions.first
    decision = DecisionLog(house.registry.url).history()[-1]
    assert decision.outcome == "failed"
    assert decision.champion == decision.serving == house.versions.first


@pytest.mark.full
def test_a_rollback_without_a_reason_or_a_former_champion_does_nothing(led: House) -> None:
    from workflows.deployment import rollback

    with pytest.raises(Exception, match="a rollback needs a reason"):
        rollback(why=" ", **led.inputs)
    with pytest.raises(Exception, match="nothing served before"):
        rollback(why="bad answers", **led.inputs)
    assert led.serving == led.champion == led.versions.first
    assert DecisionLog(led.registry.url).history() == []


@pytest.mark.full
def test_a_bad_target_ends_the_run_before_anything_is_done(house: House) -> None:
    from workflows.deployment import deploy_champion

    house.registry.move_alias(CHAMPION, house.versions.first, who="test", why="begin", evidence={}, after=None)

    with pytest.raises(Exception, match="there is no target 'moon'"):
        deploy_champion(registry=house.registry.url, target="moon")
    with pytest.raises(Exception, match="'ports=1' is no setting of a target"):
        deploy_champion(registry=house.registry.url, target="local,ports=1")
