"""What the tests of data share: a home of their own, so that no test reads or fills the user's cache."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setattr(Path, "home", lambda: folder)
    return folder
