"""The files of a local deployment: written and read again, and damaged ones are detected."""

import json
from pathlib import Path

import pytest

from assay.deployment.front import RECORD, ROUTE, port_of
from assay.deployment.identity import Identity, Server
from assay.deployment.route import FrontRecord, Route
from assay.deployment.target import History
from assay.errors import InputError

SERVER = Server(Identity(4711, 1_700_000_000.25), "a" * 12, 23_000, True, "ready")
ROUTES = [
    Route(History(("a" * 12, "b" * 12), "c" * 12), SERVER),
    Route(History(("a" * 12,)), None),
    Route(History(), None),
]
FRONT = {"host": "127.0.0.1", "port": 3000, "process": {"pid": 1, "started": 1.0}}
DAMAGED = ["", "{", "[]", "null", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "{}", '{"server": 1}']


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_is_read_as_it_was_written(route: Route, tmp_path: Path) -> None:
    route.write(tmp_path)

    assert Route.read(tmp_path) == route
    assert port_of(tmp_path) == (route.server.port if route.server else None)


def test_no_route_is_an_empty_one_and_a_damaged_one_is_reported(tmp_path: Path) -> None:
    assert Route.read(tmp_path) == Route(History(), None)
    for text in DAMAGED:
        (tmp_path / ROUTE).write_text(text)
        with pytest.raises(InputError, match=r"the state of the deployment cannot be read: .*serving\.json\)"):
            Route.read(tmp_path)
    ROUTES[0].write(tmp_path)
    fields = json.loads((tmp_path / ROUTE).read_text())
    del fields["server"]["process"]["started"]
    (tmp_path / ROUTE).write_text(json.dumps(fields))
    with pytest.raises(InputError, match=r"cannot be read: server\.process\.started: field required \("):
        Route.read(tmp_path)


def test_a_server_is_read_as_it_was_written_and_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    SERVER.write(tmp_path)
    file = tmp_path / "4711.json"
    assert Server.read(file) == SERVER
    assert Server.read(tmp_path / "4712.json") is None
    unknown = json.dumps({**json.loads(file.read_text()), "kind": "other"})
    for text in (*DAMAGED, unknown):
        file.write_text(text)
        assert Server.read(file) is None


def test_a_front_is_read_only_while_it_lives(tmp_path: Path) -> None:
    own = Identity.own()
    alive = {**FRONT, "process": {"pid": own.pid, "started": own.started}}
    (tmp_path / RECORD).write_text(json.dumps(alive))
    assert FrontRecord.read(tmp_path) == FrontRecord("127.0.0.1", 3000, own)

    for text in (*DAMAGED, json.dumps(FRONT), json.dumps({**alive, "port": "many"})):
        (tmp_path / RECORD).write_text(text)
        assert FrontRecord.read(tmp_path) is None
    (tmp_path / RECORD).unlink()
    assert FrontRecord.read(tmp_path) is None
