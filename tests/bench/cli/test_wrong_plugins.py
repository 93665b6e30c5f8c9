"""What somebody might bring and lipbench cannot use: each is told in a line, ends with 2, and costs no earlier run."""

import hashlib
import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lipbench.bench.cli import main
from lipbench.bench.config.suite import Suite

BAD = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset
from torchmetrics import Metric
from lipbench.objectives import Objective

number = 3

class Mine(Objective):
    name, reference = "mine", "a test"
    def __init__(self, *, weight: float = 1.0, **others):
        super().__init__(**others)

class Taken(Mine):
    name = "wgan-gp"

class Nameless(Objective): ...

class Old(Mine):
    api_version = 0

class Needs(Mine):
    def __init__(self, *, scale: float):
        super().__init__()

class Refuses(Mine):
    def __init__(self, *, scale: float = 1.0):
        raise ValueError("scale:\\nnot today")

class Generator(nn.Module):
    latent_dim = 2
    def __init__(self, shape, width: int = 4):
        super().__init__()
        self.layer = nn.Linear(2, *shape)
    def forward(self, z):
        return self.layer(z)

class Wide(Generator):
    def __init__(self, shape):
        super().__init__((7,))

class Critic(nn.Module):
    def __init__(self, shape, width: int = 4):
        super().__init__()
        self.layer = nn.Linear(*shape, 1)
    def forward(self, x):
        return self.layer(x).flatten()

class Column(Critic):
    def forward(self, x):
        return self.layer(x)

class Fails(Critic):
    def forward(self, x):
        raise KeyError("forward")

def pair(shape, *, width: int = 4): return Generator(shape), Critic(shape)
def wide(shape): return Wide(shape), Critic(shape)
def column(shape): return Generator(shape), Column(shape)
def fails(shape): return Generator(shape), Fails(shape)
def nameless(shape): return nn.Linear(2, 2), Critic(shape)
def three(shape): return 3
def broken(shape): raise RuntimeError("no\\nnetworks")
def shapeless(*, width: int = 4): ...
def mlp(shape): return pair(shape)

def draw(n, *shape): return torch.randn(n, *shape, generator=torch.Generator().manual_seed(n))
def rings(n: int = 40): return draw(n, 2), draw(20, 2)
def holed():
    x = draw(40, 3)
    x[4, 1] = float("nan")
    return x, draw(20, 3)
def text(): return "a", "b"
def few(): return draw(40, 2), draw(3, 2)
def tall(): return draw(40, 3, 8, 16), None
def bright(): return draw(40, 1, 8, 8) * 9, None
def labelled(): return draw(40, 2), draw(20, 2), torch.ones(3)
def uneven(): return draw(40, 2), draw(20, 3)
def nothing(): return None
def lost(): raise FileNotFoundError("my.dat")
def empty(): return TensorDataset(draw(0, 2)), None
def digits(): return rings()

class Distance(Metric):
    higher_is_better = False
    def __init__(self, power: float = 1.0):
        super().__init__()
    def update(self, samples, real): ...
    def compute(self):
        return torch.tensor(1.0)

class w1(Distance): ...

class Breaks(Distance):
    def update(self, samples, real):
        raise KeyError("update")

class Silent(Distance):
    def compute(self): ...

class Narrow(Distance):
    def update(self, samples): ...

class Pixels(nn.Module):
    def forward(self, images):
        return images

class Blind(nn.Module):
    def forward(self, images):
        raise RuntimeError("no\\nsuch size")
"""
FILES = {
    "bad.py": BAD,
    "syntax.py": "class Mine(\n",
    "imports.py": "import no_such_package\nclass Mine: ...\n",
    "raises.py": "raise ZeroDivisionError('at\\nimport')\n",
    "leaves.py": "import sys\nsys.exit(0)\n",
    "dies.py": "import os\nos._exit(0)\n",
    "binary.py": "x = 1\0\n",
    "circle.py": "from circle import Mine\n",
}
TABLES = {
    "ok.csv": "mass,charge\n" + "".join(f"{i},{i % 7}\n" for i in range(40)),
    "holed.csv": "mass,charge\n" + "".join(f"{i},{'' if i == 6 else i}\n" for i in range(40)),
    "words.csv": "mass,charge\n" + "".join(f"{i},{'red' if i == 2 else i}\n" for i in range(40)),
    "dates.csv": "when,mass\n" + "".join(f"2026-01-{i + 10},{i}\n" for i in range(20)),
    "one.csv": "mass,charge\n1,2\n",
    "head.csv": "mass,charge\n",
    "empty.csv": "",
    "ragged.csv": "mass,charge\n1,2\n3,4,5,6\n",
    "bare.csv": "".join(f"{i},{i % 7}\n" for i in range(40)),
    "index.csv": ",mass\n" + "".join(f"{i},{i % 7}\n" for i in range(40)),
    "flat.csv": "mass,charge\n" + "".join(f"{i},3\n" for i in range(40)),
    "torn.npy": "no array",
    "torn.npz": "PK no archive",
    "torn.parquet": "PAR no table",
    "data.xlsx": "",
}


def objective(entry: Any) -> dict[str, Any]:
    return {"objectives": ["minimax", entry]}


def network(entry: Any) -> dict[str, Any]:
    return {"architectures": [entry]}


def data(entry: str) -> dict[str, Any]:
    return {"datasets": ["8gaussians", entry]}


MEASURED = {"count": 2, "points": 50, "mode_points": 100, "images": 100}


def metric(entry: Any) -> dict[str, Any]:
    return {"evaluation": MEASURED | {"metrics": [entry]}}


def extractor(entry: Any) -> dict[str, Any]:
    networks = [{"name": "dcgan", "channels": 4}]
    return {"datasets": ["digits"], "architectures": networks, "evaluation": MEASURED | {"extractor": entry}}


NO_PYARROW = pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
WRONG: list[Any] = [
    (objective("absent.py:Mine"), "objective file not found: absent.py"),
    (objective("bad.py:Mien"), "bad.py:Mien: no 'Mien' in there; found: Mine, Taken, .*"),
    (objective("bad.py"), "objective 'bad.py': give the name in it too, as in bad.py:MyOwn"),
    (objective("wgan-gpp"), r"unknown objective 'wgan-gpp' \(did you mean 'wgan-gp'\?\); known: .*"),
    (objective("no_such_package.losses:Mine"), "cannot be imported: ModuleNotFoundError: .*no_such_package.*"),
    (objective("syntax.py:Mine"), "syntax.py cannot be imported: SyntaxError: .*line 1.*"),
    (objective("imports.py:Mine"), "imports.py cannot be imported: ModuleNotFoundError: .*'no_such_package'"),
    (objective("raises.py:Mine"), "raises.py cannot be imported: ZeroDivisionError: at import"),
    (objective("leaves.py:Mine"), "leaves.py cannot be imported: SystemExit: 0"),
    (objective("dies.py:Mine"), "dies.py:Mine: importing or building it ends its process: .*exit status 0"),
    (objective("binary.py:Mine"), "binary.py cannot be imported: .*null bytes.*"),
    (objective("circle.py:Mine"), "circle.py cannot be imported: ImportError: .*circle.*"),
    (objective("bad.py:number"), "bad.py:number: not a class derived from lipbench.objectives.Objective"),
    (objective("bad.py:Critic"), "bad.py:Critic: not a class derived from lipbench.objectives.Objective"),
    (objective("bad.py:Taken"), r"bad.py:Taken: the name 'wgan-gp' is taken \(built in\); rename it"),
    (objective("bad.py:Nameless"), "Nameless is abstract: give it 'name' and 'reference', .*"),
    (objective("bad.py:Old"), "bad.py:Old: written for objective API 0, this lipbench has .*"),
    (objective("bad.py:Needs"), "mine: needs scale"),
    (objective("bad.py:Refuses"), "mine: ValueError: scale: not today"),
    (objective({"name": "bad.py:Mine", "wieght": 2}), r"unknown argument 'wieght' \(did you mean 'weight'\?\); .*"),
    (objective({"name": "bad.py:Mine", "weight": "much"}), "mine: weight='much': .*valid number.*"),
    (objective({"name": "bad.py:Mine", "loss": "hinje"}), "'hinje'.*hinge.*"),
    (network("absent.py:pair"), "architecture file not found: absent.py"),
    (network("mpl"), r"unknown architecture 'mpl' \(did you mean 'mlp'\?\); known: .*"),
    (network("bad.py:wide"), r"wide: its generator turns \(2, 2\) into \(2, 7\): must be \(2, 2\)"),
    (network("bad.py:column"), r"column: its critic turns \(2, 2\) into \(2, 1\): must be \(2,\)"),
    (network("bad.py:fails"), "its critic fails on a batch of shape .*KeyError: 'forward'"),
    (network("bad.py:nameless"), "its generator must have an attribute 'latent_dim', .*"),
    (network("bad.py:three"), r"makes int: must be Networks, a pair \(generator, critic\), or one of the two"),
    (network("bad.py:broken"), "RuntimeError: no networks"),
    (network("bad.py:shapeless"), "must take the shape of a sample first, then settings by name"),
    (network("bad.py:mlp"), r"the name 'mlp' is taken \(built in\); rename it"),
    (network("bad.py:number"), "not a function or class that makes networks"),
    (network("bad.py:rings"), "rings.*"),
    (network({"name": "bad.py:pair", "widht": 3}), r"unknown setting 'widht' \(did you mean 'width'\?\); known: width"),
    (network("bad.py:Critic"), "makes a critic alone.*|.*generator.*"),
    (network({"name": "bad.py:Critic", "generator": "mpl"}), "unknown architecture 'mpl' .*"),
    (
        network({"name": "bad.py:Critic", "generator": "mlp", "critic": "mlp"}),
        "both generator and critic are given: .*",
    ),
    (data("absent.py:rings"), "dataset file not found: absent.py"),
    (data("8gausians"), r"unknown dataset '8gausians' \(did you mean '8gaussians'\?\); known: .*"),
    (data("bad.py:holed"), "bad.py:holed: train: row 5, column 2 is not finite"),
    (data("bad.py:text"), "bad.py:text: train: str: must be a tensor, an array or a torch data set"),
    (data("bad.py:few"), "bad.py:few: held out: 3 samples: must be 8 or more"),
    (data("bad.py:tall"), r"train: images \(3, 8, 16\): must be \(1 or 3, S, S\)"),
    (data("bad.py:bright"), r"train: images up to .*: must be uint8, or float in \[-1, 1\]"),
    (data("bad.py:labelled"), r"labels of shape \(3,\): must be whole numbers, one for each in train"),
    (data("bad.py:uneven"), "samples of train and held out differ: .*"),
    (data("bad.py:nothing"), r"NoneType: must be \(train, held out\) or \(train, held out, labels\)"),
    (data("bad.py:lost"), "bad.py:lost: FileNotFoundError: my.dat"),
    (data("bad.py:empty"), "train: a torch data set without a length, or an empty one"),
    (data("bad.py:digits"), r"the name 'digits' is taken \(built in\); rename it"),
    (data("bad.py:number"), "bad.py:number: not a function that returns samples"),
    (data("bad.py:rings?m=3"), "unknown setting 'm'; known: n"),
    (data("bad.py:rings?n=many"), "n='many': .*valid integer.*"),
    (data("dies.py:rings"), "dies.py:rings: importing or building it ends its process: .*exit status 0"),
    (metric("absent.py:Distance"), "evaluation.metrics: metric file not found: absent.py"),
    (metric("kdi"), r"'kdi' \(did you mean 'kid'\?\).*"),
    (metric("bad.py:Distanse"), "no 'Distanse' in there; found: .*"),
    (metric("bad.py:number"), "bad.py:number: must be a class, or a function"),
    (metric("bad.py:Pixels"), "bad.py:Pixels: makes Pixels: must be a torchmetrics.metric.Metric"),
    (metric("bad.py:w1"), r"bad.py:w1: the name 'w1' is taken \(built in\); rename it"),
    (metric("imports.py:Mine"), "imports.py cannot be imported: ModuleNotFoundError: .*'no_such_package'"),
    (metric({"name": "bad.py:Distance", "pwoer": 2}), r"unknown setting 'pwoer' \(did you mean 'power'\?\); .*"),
    (metric("bad.py:Breaks"), "Breaks: KeyError: 'update'"),
    (metric("bad.py:Silent"), "Silent: gives .*: must be a number, or a mapping of names to numbers"),
    (metric("bad.py:Narrow"), "Narrow: TypeError: .*update.*"),
    (extractor("inceptoin"), r"'inceptoin' \(did you mean 'inception'\?\).*"),
    (extractor("bad.py:Distance"), "bad.py:Distance: makes Distance: must be a torch.nn.modules.module.Module"),
    (extractor("bad.py:Pixels"), r"extractor Pixels: .*must be features \[N, D\], or a pair with logits \[N, K\]"),
    (extractor("bad.py:Blind"), "extractor Blind: .*RuntimeError: no such size"),
    (data("points:absent.csv"), "points:absent.csv: there is no file .*absent.csv"),
    (data("points:data.xlsx"), "must name a file that ends in .npy, .npz, .csv, .parquet, .*"),
    (data("points:holed.csv"), "points:holed.csv: row 7, column 'charge': nan: must be a finite number"),
    (data("points:words.csv"), "points:words.csv: row 3, column 'charge': 'red': must be a finite number"),
    (data("points:dates.csv"), "row 1, column 'when': '2026-01-10': must be a finite number, and 19 rows more"),
    (data("points:one.csv"), "points:one.csv: 1 rows: must be 10 or more"),
    (data("points:head.csv"), "points:head.csv: 0 rows: must be 10 or more"),
    (data("points:empty.csv"), "empty.csv cannot be read .*"),
    (data("points:ragged.csv"), "ragged.csv cannot be read .*line 3.*"),
    (data("points:bare.csv"), "the first line of .*bare.csv is numbers: it must name the columns"),
    (data("points:index.csv"), "column 1 has no name, as an index has none: .*columns=mass"),
    (data("points:flat.csv?standardise=true"), "column 2 has one value alone: it has no scale"),
    (data("points:ok.csv?columns=mas"), r"unknown column 'mas' \(did you mean 'mass'\?\); known: charge, mass"),
    (data("points:ok.csv?colums=mass"), r"unknown option 'colums' \(did you mean 'columns'\?\); known: .*"),
    (data("points:ok.csv?held_out=2"), "held_out=2: must be the share of the rows .*"),
    (data("points:huge.npy"), "10000.0 GB in .*huge.npy: too big for .* GB of free memory"),
    (data("points:torn.npy"), "torn.npy cannot be read .*"),
    (data("points:torn.npz"), "torn.npz cannot be read .*"),
    (data("points:pickled.npy"), "pickled.npy cannot be read .*"),
    (data("points:cube.npy"), r"an array of shape \(4, 4, 4\) .*: must be numbers \[rows, columns\]"),
    (data("points:complex.npy"), r"type complex128: must be numbers \[rows, columns\]"),
    (data("points:two.npz"), "two.npz holds here, there: name one, .*"),
    (data("points:folder.csv"), "there is no file .*folder.csv"),
    pytest.param(
        data("points:torn.parquet"), "a .parquet file needs pyarrow: pip install pyarrow, .*", marks=NO_PYARROW
    ),
]


def shown(value: Any) -> str:
    """What is wrong, as the test's name; the line it is told by is none."""
    return re.sub(r"[^\w.:-]+", "-", f"{value}")[-70:] if isinstance(value, dict) else ""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of these files, and results of a run that was made before."""
    folder = tmp_path_factory.mktemp("wrong")
    for name, text in (FILES | TABLES).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "folder.csv").mkdir()
    with (folder / "huge.npy").open("wb") as sparse:
        os.truncate(sparse.fileno(), 10**13)
    rows = np.arange(120.0).reshape(40, 3)
    np.save(folder / "pickled.npy", np.array([object()] * 40), allow_pickle=True)
    np.save(folder / "cube.npy", np.zeros((4, 4, 4)))
    np.save(folder / "complex.npy", rows * 1j)
    np.savez(folder / "two.npz", here=rows, there=rows)
    return folder


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(suite: dict[str, Any], *more: str) -> int:
    Path("suite.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["run", "suite.yaml", "--jobs", "1", "--out", "results", *more])
    return int(left.value.code or 0)


def runs_code(wrong: Any) -> bool:
    """Whether somebody's file is imported, in a process of its own."""
    return any(f"{name}:" in str(wrong) for name in FILES)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [pytest.param(*case, marks=pytest.mark.slow) if runs_code(case) else case for case in WRONG],
    ids=shown,
)
def test_wrong_plugin_is_told_in_a_line_and_nothing_is_lost(
    wrong: dict[str, Any],
    line: str,
    place: Path,
    make_suite: Callable[..., Suite],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    suite = {key: value for key, value in make_suite(objectives=["minimax"], steps=2).model_dump().items() if value}
    if not Path("results").exists():
        assert run(suite) == 0
    before = content(Path("results"))
    capfd.readouterr()
    status = run(suite | wrong)
    out, err = capfd.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("lipbench: ") and err.count("\n") == 1 and "Traceback" not in err
    assert re.search(f"{line}$", err.rstrip("\n")), err
    assert content(Path("results")) == before


def test_there_are_forty_and_more() -> None:
    assert len(WRONG) >= 40
