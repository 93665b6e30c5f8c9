"""What `--download` fetches; from files in place of servers."""

import hashlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from lipbench.bench.cli import main
from lipbench.bench.metrics import inception
from lipbench.bench.sweep.downloads import fetch
from lipbench.objectives.errors import BadInput, Missing

from ..data.test_vision import svhn

CONTENT = b"not really weights"


class Internet(urllib.request.OpenerDirector):
    """All that can be asked of it: files by URL."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, Path] = {}
        self.asked: list[str] = []

    def open(self, fullurl: Any, data: Any = None, timeout: Any = None) -> Any:
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        self.asked.append(url)
        if url not in self.files:
            raise URLError("no route")
        return urllib.request.build_opener().open(self.files[url].as_uri())


@pytest.fixture(autouse=True)
def internet() -> Iterator[Internet]:
    made = Internet()
    urllib.request.install_opener(made)
    yield made
    urllib.request.install_opener(None)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def server(tmp_path: Path, internet: Internet) -> Path:
    """What the URL of the weights gives."""
    internet.files[inception.URL] = tmp_path / "served"
    internet.files[inception.URL].write_bytes(CONTENT)
    return internet.files[inception.URL]


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small SVHN in it, which is therefore not downloaded."""
    svhn(tmp_path / "data", monkeypatch)
    return tmp_path / "data"


def test_download_puts_the_weights_where_they_are_looked_for(hub: Path, server: Path) -> None:
    with pytest.raises(Missing) as caught:
        inception.weights_path()
    assert caught.value.remedies == ("weights", "download")
    inception.download(hashlib.sha256(CONTENT).hexdigest())
    assert inception.weights_path() == hub / inception.FILE
    assert inception.weights_path().read_bytes() == CONTENT


def test_download_leaves_weights_that_are_there(hub: Path, internet: Internet) -> None:
    hub.mkdir(parents=True)
    (hub / inception.SAME_FILE[0]).write_bytes(b"mine")
    inception.download()
    assert inception.weights_path().read_bytes() == b"mine"
    assert internet.asked == []


@pytest.mark.parametrize(
    ("served", "reason"), [(False, "URLError: .*no route"), (True, "RuntimeError: invalid hash value")]
)
def test_download_of_weights_that_fails_is_one_line_and_leaves_nothing(
    hub: Path, request: pytest.FixtureRequest, served: bool, reason: str
) -> None:
    if served:
        request.getfixturevalue("server")
    line = rf"^weights of extractor 'inception': download of 91 MB from .* to .* failed \({reason}.*\)$"
    with pytest.raises(BadInput, match=line):
        inception.download()
    assert not list(hub.iterdir())


@pytest.mark.parametrize(
    ("datasets", "extractor", "weights", "fetched"),
    [
        (["digits", "svhn"], None, None, True),
        (["digits"], None, None, False),
        (["digits"], "inception", None, True),
        (["svhn"], "mnist-cnn", None, False),
        (["svhn"], None, Path("mine.pth"), False),
    ],
)
def test_fetch_takes_the_weights_where_the_evaluation_needs_them(
    hub: Path,
    internet: Internet,
    photographs: Path,
    datasets: list[str],
    extractor: str | None,
    weights: Path | None,
    fetched: bool,
) -> None:
    if fetched:
        with pytest.raises(BadInput, match=r"weights of extractor 'inception': download .* failed"):
            fetch(datasets, photographs, extractor, weights)
    else:
        fetch(datasets, photographs, extractor, weights)
    assert internet.asked == [inception.URL] * fetched


@pytest.mark.parametrize(
    ("command", "dataset", "told"),
    [
        ("run small.yaml --set evaluation.extractor=inception", "digits", "'inception': download of 91 MB from "),
        ("run small.yaml --data here", "cifar10", "cifar10: download of 170 MB to here failed "),
        ("run small.yaml --set evaluation.extractor=inception --weights mine.pth", "digits", "mine.pth"),
        ("tune small.yaml --budget 1 --data here", "cifar10", "cifar10: download of 170 MB to here failed "),
        ("study G1 G7 --scale full --data here", "", "cifar10: download of 170 MB to here failed "),
    ],
)
def test_download_is_asked_for_what_the_command_names(
    hub: Path,
    internet: Internet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    dataset: str,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.pth").touch()
    Path("small.yaml").write_text(f"objectives: [minimax]\ndatasets: [{dataset}]\nsteps: 1\n")
    with pytest.raises(SystemExit, match="2"):
        main([*command.split(), "--download"])
    assert told in capsys.readouterr().err
    assert len(set(internet.asked)) == ("download" in told)
