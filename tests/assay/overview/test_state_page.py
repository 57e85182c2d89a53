"""The page of the state of real registries, looks and logs: complete, in parts, and damaged."""

import copy
import datetime
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.cli.main import main
from assay.model import Profile
from assay.monitoring import DriftLookLog, WatchConfig
from assay.monitoring.watch import watch
from assay.monitoring.window import Window
from assay.overview import page_of_state
from assay.overview.present import state_report
from assay.overview.state import StatePlaces, gather_state
from assay.promotion.test_set import UseLog
from assay.registry import (
    CHAMPION,
    Decision,
    DecisionLog,
    Registry,
    keep_verdict,
    promote,
    promote_first,
    promote_with_verdict,
    rollback,
)
from assay.report import render_markdown
from assay.rubric import load_rubric
from assay.scorelog.files import write_rows
from assay.scoring import cost_log

RUBRIC = load_rubric("education")
HOUR = datetime.timedelta(hours=1)


def answers(count: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    scores = rng.normal(2 + shift, 1, count)
    return pd.DataFrame(
        {
            "score": scores,
            "calibrated": np.clip(scores, 0, 5),
            "tokens": rng.integers(20, 2_000, count),
            "read": 1.0,
            "keep": scores >= 3,
            "language": "en",
        }
    )


def look(log: DriftLookLog, version: str, when: datetime.datetime, seed: int, shift: float = 0.0) -> None:
    """Add a look as `assay watch` does for a window."""
    reference, window = (Profile.of(RUBRIC, answers(400, of, by)) for of, by in ((0, 0.0), (seed, shift)))
    log.append(watch(version, reference, Window(window, "an hour"), WatchConfig(), looks=log, now=when).look)


class Place:
    """A registry of three versions: the second was promoted, then rolled back to the first; with looks and a log."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.registry = folder, Registry(str(folder / "registry"))
        self.looks, self.log = DriftLookLog(str(folder / "looks")), str(folder / "log")
        names = []
        for seconds in (60.0, 5_400.0, 7_200.0):
            made = shutil.copytree(model, folder / f"model{seconds:g}")
            fields = json.loads((made / "evaluation.json").read_text())
            fields["training"] = {"updates": 9, "tokens": 1_000, "seconds": seconds, "joules": 1_800_000.0}
            (made / "evaluation.json").write_text(json.dumps(fields))
            names.append(self.registry.register(made, {"metrics": {"average_precision": 0.625}}).name)
        self.one, self.two, self.three = names
        self.digests = [self.registry.get(name).digest for name in names]
        promote_first(self.registry, self.one, [], who="training workflow")
        uses = UseLog(self.registry.url, ["a", "b"])
        uses.record(self.digests[1], self.digests[0])
        promote_with_verdict(self.registry, self.two, who="anna", why="labels of October", verdict=self._verdict())
        uses.record(self.digests[2], self.digests[1])
        rollback(self.registry, who="ben", why="it <b>times</b> out", of=self.two)
        self.now = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + 72 * HOUR

    def _verdict(self) -> bytes:
        models = {name: {"name": name, "digest": self.digests[at]} for name, at in (("challenger", 1), ("champion", 0))}
        verdict = json.dumps({"verdict": "promoted", "sentence": "It is better.", **models}).encode()
        keep_verdict(self.registry.url, verdict)
        return verdict

    def watched(self, every: int = 12, until: int = 0) -> None:
        for number, hours in enumerate(range(240, until, -every)):
            version, shift = (self.two, 0.0) if hours > 96 else (self.one, -2.0 if 36 < hours < 60 else 0.1)
            look(self.looks, version, self.now - hours * HOUR, number + 1, shift)

    def used(self, days: int = 12) -> None:
        midnight = self.now.replace(hour=0, minute=0, second=0)  # of today, whatever the hour
        for day in range(days):
            rows = answers(50 + 10 * day, day).to_dict("records")
            common = {"time": midnight - day * 24 * HOUR, "version": self.one}
            write_rows(self.log, [{**common, **row} for row in rows])
            write_rows(self.log, [{**common, "reason": "empty"}])

    def text(self, **asked: str) -> str:
        given = {"looks": self.looks.url, "log": self.log, **asked}
        return render_markdown(state_report(gather_state(StatePlaces(self.registry.url, **given), now=self.now)))

    def page(self) -> str:
        output = self.folder / "state.html"
        page_of_state(StatePlaces(self.registry.url, self.looks.url, self.log), output, now=self.now)
        return output.read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Place:
    return Place(tmp_path_factory.mktemp("made"), tiny_model)


def copy_of(place: Place, folder: Path) -> Place:
    shutil.copytree(place.folder, folder)
    copied = copy.copy(place)
    copied.folder, copied.registry = folder, Registry(str(folder / "registry"))
    copied.looks, copied.log = DriftLookLog(str(folder / "looks")), str(folder / "log")
    return copied


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy of the place: a registry may be moved."""
    return copy_of(made, tmp_path / "place")


@pytest.fixture(scope="module")
def used(made: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The place after ten days, the last three of them in the score log."""
    copied = copy_of(made, tmp_path_factory.mktemp("used") / "place")
    copied.watched()
    copied.used(days=3)
    return copied


@pytest.fixture(scope="module")
def whole(used: Place) -> str:
    """The text of the page while every file can be read."""
    return used.text()


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_page_shows_everything(place: Place) -> None:
    place.watched()
    place.used()
    text, page = place.text(), place.page()

    champion = section(text, "Champion")
    assert f"| champion | {place.one} |" in champion
    assert "| champion for | 3 days |" in champion
    assert "by ben" in champion and f"Rolled back from {place.two}." in champion
    assert "| rollback to | none: a rollback brought it back |" in champion
    assert page.count("<svg") == 4, "looks, and of the log: documents, share kept, expected label"
    assert page.count("<h2>") == 6 and "<b>times</b>" not in page and "&lt;b&gt;times&lt;/b&gt;" in page

    alarms = section(text, "Alarms")
    assert "Calm at the last look, 12 hours ago; the last alarm was 2 days ago." in alarms
    assert re.search(rf"\| {place.one} \| .*scores, stability index.* \| 400 \| yes \|", alarms)

    decisions = section(text, "Last decisions")
    assert "Moves of the champion: 3, the newest first." in decisions
    assert "| anna | labels of October | Result of the comparison: It is better. |" in decisions
    assert f"| {place.two} | {place.one} | yes |" in decisions, "compared, and promoted"
    assert f"| {place.three} | {place.two} | no |" in decisions
    assert "has decided 2 times" in decisions

    versions = section(text, "Versions")
    assert versions.count("0.5000 kWh") == 3
    assert re.search(rf"\| {place.one} \| [-0-9:\xa0]+ \| champion, previous \| \S.* 0.625 \|", versions)
    cost = section(text, "Cost")
    assert "| training of the champion | 60 seconds, 0.5000 kWh |" in cost
    assert "| energy of all | 1.5000 kWh |" in cost
    assert "for 3 of 3 versions" in cost


def test_decisions_of_workflows_are_shown_with_their_pages(place: Place) -> None:
    log = DecisionLog(place.registry.url)
    for outcome, sentence in (("kept", "It was no better."), ("failed", "The pods did not get <ready>.")):
        decision = Decision(place.two, outcome, place.one, place.one, sentence)  # type: ignore[arg-type]
        log.append(decision, lambda entry: "page")
    (Path(log.url) / "00000003.json").write_text("{")

    shown, page = section(place.text(), "Last decisions"), place.page()

    rows = [line for line in shown.splitlines() if "decisions/0000000" in line]
    assert [row.split("|")[2].strip() for row in rows] == ["failed", "kept"]
    assert log.page_of(log.history(skipped=[])[0]).endswith("decisions/00000001.html")
    assert "decisions/00000001.html" in rows[1]
    assert "The pods did not get &lt;ready&gt;." in page
    assert "this decision cannot be read" in page


def test_a_single_day_is_shown_without_charts_of_one_point(place: Place) -> None:
    place.used(1)

    shown, page = section(place.text(), "Scores over time"), place.page()

    assert "Charts begin with the second day." in shown
    assert page.count("<svg") == 0


def test_the_days_of_the_log_are_counted(place: Place) -> None:
    place.used(days=4)
    state = gather_state(StatePlaces(place.registry.url, log=place.log, days=30), now=place.now)

    tables = [answers(50 + 10 * day, day) for day in reversed(range(4))]
    assert [day.documents for day in state.days] == [len(table) + 1 for table in tables]
    assert [day.scored for day in state.days] == [len(table) for table in tables]
    assert [day.kept for day in state.days] == [int(table["keep"].sum()) for table in tables]
    assert [day.calibrated for day in state.days] == pytest.approx([table["calibrated"].sum() for table in tables])
    two = gather_state(StatePlaces(place.registry.url, log=place.log, days=2), now=place.now)
    assert list(two.days) == list(state.days)[-2:]


def test_missing_parts_are_named_in_words(tmp_path: Path, tiny_model: Path) -> None:
    def text(**asked: str) -> str:
        return render_markdown(state_report(gather_state(StatePlaces(str(tmp_path / "registry"), **asked))))

    nothing = text()
    for words in (
        "There is no champion: no version is registered yet.",
        "The log of looks was not named",
        "The score log was not named",
        "There are no looks, and so no alarms.",
        "No decision yet",
        "The cost of the versions is unknown.",
    ):
        assert words in nothing
    assert not (tmp_path / "registry").exists(), "reading creates nothing"

    registry = Registry(str(tmp_path / "registry"))
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "evaluation.json").unlink()
    name = registry.register(folder, {}).name
    assert "There is no champion: no version was promoted yet." in text()
    promote_first(registry, name, [], who="x")
    alone = text(looks=str(tmp_path / "looks"), log=str(tmp_path / "log"))
    assert f"| {name} |" in alone and "| unknown | unknown | unknown |" in alone
    assert "There is no look yet" in alone
    assert "No answer is in the score log of the last 30 days." in alone
    assert "Unreadable" not in alone


def test_missing_looks_are_reported(place: Place) -> None:
    place.watched(every=24, until=96)

    assert "Looks are missing: they came every 24 hours, and the last one is 5 days old." in section(
        place.text(), "Alarms"
    )


def damage(where: str, data: bytes = b"{") -> Callable[[Place], Path]:
    def spoil(place: Place) -> Path:
        path = sorted(place.folder.glob(where))[-1]
        path.write_bytes(data)
        return path

    return spoil


def look_without_time_zone(place: Place) -> Path:
    path = place.folder / "looks" / "00000003.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"when": "2026-01-01"}))
    return path


@pytest.mark.parametrize(
    ("spoil", "section_of", "lost", "stays"),
    [
        (damage("looks/00000003.json"), "Scores over time", "this look cannot be read", "19 looks, by version"),
        (look_without_time_zone, "Alarms", "no time zone", "Calm at the last look"),
        (
            damage("registry/aliases/champion/00000001.json"),
            "Champion",
            "this entry cannot be read",
            "| champion for | 3 days |",
        ),
        (
            damage("registry/aliases/champion/00000002.json"),
            "Last decisions",
            "this entry cannot be read",
            "Moves of the champion: 2",
        ),
        (damage("registry/test_sets/*/00000001.json"), "Last decisions", "this entry cannot be read", "Challenges: 1"),
        (damage("registry/versions/*/version.json"), "Versions", "this version's record cannot be read", "Versions: 2"),
        (damage("registry/versions/*/model/evaluation.json"), "Versions", "evaluation cannot be read", "Versions: 3"),
        (
            damage("log/*/*.parquet"),
            "Scores over time",
            "this file of the score log cannot be read",
            "documents logged",
        ),
    ],
)
def test_an_unreadable_file_is_named_and_the_rest_is_shown(
    used: Place,
    whole: str,
    spoil: Callable[[Place], Path],
    section_of: str,
    lost: str,
    stays: str,
    tree: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    place = copy_of(used, tmp_path / "place")
    path = spoil(place)
    before = tree(place.folder)

    text = place.text()

    unreadable = section(text, "Unreadable")
    assert lost in unreadable.replace("\\", "") and path.name in unreadable and unreadable.count("> ") == 1
    assert stays in section(text, section_of)
    gone = set(whole.splitlines()) - set(text.splitlines())
    assert len(gone) <= 8, gone
    assert tree(place.folder) == before, "reading changes nothing"


def test_an_earlier_champion_is_never_shown_as_the_champion(place: Place) -> None:
    damage("registry/aliases/champion/00000003.json")(place)

    champion = section(place.text(), "Champion")
    assert "The champion is unknown" in champion and place.two not in champion and place.one not in champion


def test_the_page_is_complete_or_as_before(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = tmp_path / "out" / "state.html"
    options = ["state", "--registry", place.registry.url, "--output", str(output)]
    assert main(options) == 0
    first = output.read_text()
    assert "no version" not in first and place.one in first

    promote(place.registry, place.three, against=place.one, who="x", why="y")
    (tmp_path / "a file").write_text("")
    assert main([*options, "--looks", str(tmp_path / "a file")]) == 2
    assert output.read_text() == first
    assert main(options) == 0
    assert place.three in section(output.read_text().replace("<h2>Champion</h2>", "## Champion\n"), "Champion")
    assert [path.name for path in output.parent.iterdir()] == ["state.html"]


def test_an_object_store_is_read_like_a_disk(s3: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "weights").write_text("1")
    registry = Registry(f"{s3}/{tmp_path.name}/registry")
    name = registry.register(tmp_path / "m", {}).name
    promote_first(registry, name, [], who="x")
    look(DriftLookLog(f"{s3}/{tmp_path.name}/looks"), name, datetime.datetime.now(datetime.UTC) - HOUR, 1)

    page = page_of_state(StatePlaces(registry.url, f"{s3}/{tmp_path.name}/looks"), tmp_path / "s.html").read_text()

    assert name in page and "Calm: no alarm in 1 looks" in page
    assert registry.history(CHAMPION)[0].version == name


def test_the_cost_of_scoring_is_shown_by_model_with_a_price(
    tmp_path: Path, tiny_model: Path, sample: list[dict]
) -> None:
    corpus, scores, page = tmp_path / "c.parquet", tmp_path / "scores", tmp_path / "s.html"
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample[:90]]).to_parquet(corpus, index=False)
    score = ["score", str(corpus), "--model", str(tiny_model), "--output", str(scores), "--rows-per-part", "30"]
    assert main(score) == 0
    (lost,) = scores.glob("*/rows-000000000030-*")
    lost.unlink()
    assert main(score) == 0
    assert main(score) == 0, "nothing is left, and nothing is added to the ledger"

    first, second = cost_log(str(scores)).history()
    assert (first.documents, second.documents) == (90, 30)
    assert first.tokens == pytest.approx(sum(len(row["text"].encode()) // 4 for row in sample[:90]), abs=90)
    assert first.processor_seconds > 0 and first.gpu_seconds == 0
    spent = (first.processor_seconds + second.processor_seconds) / 3_600
    registry = Registry(str(tmp_path / "registry"))
    version = registry.register(tiny_model, {})
    state = ["state", "--registry", registry.url, "--scores", str(scores), "--output", str(page)]

    assert main([*state, "--core-hour", "0.5"]) == 0

    text = render_markdown(state_report(gather_state(StatePlaces(registry.url, scores=str(scores), core_hour=0.5))))
    row = next(line for line in text.splitlines() if line.startswith(f"| {version.name}") and "| 2 |" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == "120"
    assert float(cells[-1].replace(",", "")) == pytest.approx(
        spent * 0.5 / (first.tokens + second.tokens) * 1e9, rel=0.05
    )
    assert "0.5 for an hour of a core" in page.read_text()
    (scores / "costs/00000001.json").write_text("{")
    assert "this entry of the costs" in " ".join(gather_state(StatePlaces(registry.url, scores=str(scores))).unreadable)
    assert main([*state, "--core-hour", "-1"]) == 2
