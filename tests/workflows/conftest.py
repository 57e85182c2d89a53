"""What is registered, compiled once for all files of these tests."""

from pathlib import Path

import pytest
from compiled import Registered, package


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """Everything that registration sends, by the profile `cpu`, and the code that it ships."""
    folder: Path = tmp_path_factory.mktemp("package")
    return Registered(package(folder), folder)
