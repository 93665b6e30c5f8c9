"""What `--download` fetches; from a file in place of a server."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lipbench.bench.cli import main
from lipbench.bench.data import load
from lipbench.bench.metrics import inception
from lipbench.bench.sweep import downloads
from lipbench.bench.sweep.downloads import fetch
from lipbench.objectives.errors import BadInput, Missing

CONTENT = b"not really weights"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache, and a server that has the weights file."""
    served = tmp_path / "server" / inception.FILE
    served.parent.mkdir()
    served.write_bytes(CONTENT)
    monkeypatch.setattr(inception, "URL", served.as_uri())
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def photographs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`svhn` is there, and the names that were asked of the data sets' own downloads."""
    asked: list[str] = []
    photos = replace(load("digits"), extractor="inception")
    monkeypatch.setattr(downloads, "load", lambda name, _: photos if name == "svhn" else load(name))
    monkeypatch.setattr(downloads, "download", lambda name, _: asked.append(name))
    return asked


def test_download_puts_the_weights_where_they_are_looked_for(hub: Path) -> None:
    with pytest.raises(Missing) as caught:
        inception.weights_path()
    assert caught.value.remedies == ("weights", "download")
    inception.download()
    assert inception.weights_path() == hub / inception.FILE
    assert inception.weights_path().read_bytes() == CONTENT


def test_download_leaves_weights_that_are_there(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.mkdir(parents=True)
    (hub / inception.SAME_FILE[0]).write_bytes(b"mine")
    monkeypatch.setattr(inception, "URL", "file:///nowhere")
    inception.download()
    assert inception.weights_path().read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [("URL", "file:///nowhere", "URLError: .*No such file"), ("SHA256", "0" * 64, "RuntimeError: invalid hash value")],
)
def test_download_of_weights_that_fails_is_one_line_and_leaves_nothing(
    hub: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, value: str, reason: str
) -> None:
    monkeypatch.setattr(inception, attribute, value)
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
    photographs: list[str],
    datasets: list[str],
    extractor: str | None,
    weights: Path | None,
    fetched: bool,
) -> None:
    fetch(datasets, None, extractor, weights)
    assert photographs == datasets
    assert (hub / inception.FILE).is_file() is fetched


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("run small.yaml --set evaluation.extractor=inception", (["digits"], None, "inception", None)),
        ("run small.yaml --data here --weights mine.pth", (["digits"], Path("here"), None, Path("mine.pth"))),
        ("tune small.yaml --budget 1 --data here", (["digits"], Path("here"), None, None)),
        ("study G1 G7 --scale full --data here", (["cifar10"], Path("here"), None, None)),
    ],
)
def test_fetch_is_asked_for_what_the_command_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, asked: tuple
) -> None:
    def fetched(datasets: object, data_dir: object, extractor: object = None, weights: object = None) -> None:
        raise BadInput(str((datasets, data_dir, extractor, weights)))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloads, "fetch", fetched)
    datasets, data_dir, extractor, weights = asked
    asked = (datasets, data_dir, extractor, weights and tmp_path / weights)
    Path("mine.pth").touch()
    Path("small.yaml").write_text("objectives: [minimax]\ndatasets: [digits]\nsteps: 1\n")
    with pytest.raises(SystemExit, match="2"):
        main([*command.split(), "--download"])
    assert str(asked) in capsys.readouterr().err
