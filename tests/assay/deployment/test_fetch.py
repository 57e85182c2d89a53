"""A pod fetches exactly the registered version, or nothing."""

from pathlib import Path

import pytest

from assay.deployment.fetch import fetch, main
from assay.errors import InputError
from assay.registry import Registry
from assay.serving import Bento
from assay.storage import digest_file, upload_folder


def test_a_version_is_fetched_once_and_another_takes_its_place(versions, tmp_path: Path) -> None:
    output = tmp_path / "bento"
    assert main(["--registry", versions.registry, "--version", versions.first, "--output", str(output)]) == 0
    bento = Bento.open(output)
    assert bento.version == versions.first
    registered = Registry(versions.registry).get(versions.first)
    assert {file: digest_file(bento.model / file) for file in registered.files} == registered.files

    before = output.stat().st_ino
    assert fetch(versions.registry, versions.first, output) == bento
    assert output.stat().st_ino == before, "a restarted container starts at once"
    assert fetch(versions.registry, versions.second, output).version == versions.second


def test_a_version_comes_from_an_object_store(versions, s3: str, tmp_path: Path) -> None:
    place = Path(versions.registry) / "versions" / versions.first
    upload_folder(place, f"{s3}/registry/versions/{versions.first}", last="version.json")
    assert Registry(f"{s3}/registry").get(versions.first).name == versions.first

    assert fetch(f"{s3}/registry", versions.first, tmp_path / "bento").version == versions.first


def test_a_damaged_missing_or_unnamed_version_gives_no_bento(
    versions, s3: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path(versions.registry) / "versions" / versions.second
    upload_folder(place, f"{s3}/damaged/versions/{versions.second}", last="version.json")
    damaged = tmp_path / "golden.jsonl"
    damaged.write_text("{}")
    import fsspec

    fsspec.filesystem("s3").put_file(
        str(damaged), f"{s3.removeprefix('s3://')}/damaged/versions/{versions.second}/model/golden.jsonl"
    )
    with pytest.raises(InputError, match=r"golden\.jsonl is missing or not what was registered"):
        fetch(f"{s3}/damaged", versions.second, tmp_path / "bento")
    with pytest.raises(InputError, match="no version 'ffffffffffff'"):
        fetch(versions.registry, "f" * 12, tmp_path / "bento")
    assert main(["--registry", versions.registry, "--version", "", "--output", str(tmp_path / "bento")]) == 2
    assert capsys.readouterr().err.startswith("fetch: no version was deployed yet")
    assert not (tmp_path / "bento").exists()
