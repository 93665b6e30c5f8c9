"""The examples in docs/examples, run as they stand there."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import load_suite
from lipbench.bench.run.context import RunContext

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CLAIM = 1.01  # Björck's iteration stops within .001 of orthogonal, at each of three layers


@pytest.mark.slow
def test_critic_of_a_lipschitz_library_keeps_its_claim_in_training(
    lipbench: Callable[..., str], tmp_path: Path
) -> None:
    pytest.importorskip("deel.torchlip")
    assert len((EXAMPLES / "lipschitz_critic.py").read_text(encoding="utf-8").splitlines()) <= 40
    # An mlp on images too, since `orthogonal` on dcgan takes minutes; large steps, by which a loss alone gets steep.
    networks = '[mlp, {name: "lipschitz_critic.py:Critic", generator: mlp}]'
    evaluation = "evaluation={count: 3, points: 100, mode_points: 200, images: 100, repeats: 0}"
    recipe = "recipe={name: fast, lr: 0.001, betas: [0.0, 0.9], n_critic: 5, batch: 32}"
    short = ["--jobs", "1", "--set", "steps=12", "seeds=1", evaluation, recipe, f"architectures={networks}"]
    lipbench("run", str(EXAMPLES / "lipschitz_critic.yaml"), *short)
    steepest: dict[tuple[str, str, bool], float] = {}
    for run in (tmp_path / "results" / "lipschitz_critic" / "runs").iterdir():
        spec = json.loads((run / "spec.json").read_text(encoding="utf-8"))
        if (run / "history.csv").exists():
            history = pd.read_csv(run / "history.csv")
            slopes = history.filter(regex="^slope_.*_max$")
            cell = spec["dataset"], spec["objective_spec"]["name"], "architecture" in spec.get("sources", {})
            steepest[cell] = slopes.max().max()
    for dataset in ("8gaussians", "digits"):
        assert steepest[dataset, "minimax", True] <= CLAIM < steepest[dataset, "minimax", False]
        for ours in ("orthogonal", "sn-gan"):  # linear layers: what a bound of a convolution is worth, the kit measures
            assert steepest[dataset, ours, False] <= CLAIM


def test_metric_and_extractor_of_ones_own_run_in_a_suite(lipbench: Callable[..., str], tmp_path: Path) -> None:
    assert len((EXAMPLES / "energy.py").read_text(encoding="utf-8").splitlines()) <= 25
    for target in ("energy.py:EnergyDistance", "random_features.py:RandomFeatures"):
        assert "5 passed, 0 failed" in lipbench("check", str(EXAMPLES / target))
    short = ["--jobs", "1", "--set", "steps=2", "seeds=1", "objectives=[sn-gan]", "evaluation.count=1"]
    small = ["evaluation.points=50", "evaluation.mode_points=100", "evaluation.images=100"]
    run = ["run", str(EXAMPLES / "measures.yaml"), *short, *small]
    printed = lipbench(*run)
    for heading in ("FD(RandomFeatures(width=16)) ↓", "EnergyDistance ↓", "EnergyDistance(power=0.5) ↓", "W1 ↓"):
        assert heading in printed
    assert "2 runs, 0 to make, and nothing has changed" in lipbench(*run)
    results = tmp_path / "results" / "measures"
    page = unescape((results / "report.html").read_text(encoding="utf-8")).replace("\xa0", " ")
    told = (EXAMPLES / "energy.py").read_text(encoding="utf-8").partition('Metric):\n    """')[2].partition('"""')[0]
    assert "EnergyDistance(power=0.5) ↓" in page and page.count(f'title="{told}"') == 4
    assert {"EnergyDistance_median", "EnergyDistance_floor"} <= set(pd.read_csv(results / "summary.csv").columns)


CRITIC = """
import math
from torch import nn
class Critic(nn.Sequential):
    def __init__(self, shape, width: int = 8):
        layers = nn.Linear(math.prod(shape), width), nn.Tanh(), nn.Linear(width, 1)
        super().__init__(nn.Flatten(), *layers, nn.Flatten(0))
"""


def test_suite_with_all_that_can_be_ones_own_is_one(tmp_path: Path) -> None:
    pages = [(EXAMPLES.parent / name).read_text(encoding="utf-8") for name in ("plugins.md", "objective.md")]
    suite, objective = (re.findall(r"```(?:yaml|python)\n# \S+\n(.*?)```", page, re.DOTALL)[0] for page in pages)
    files = {"yours.yaml": suite, "my.py": objective, "lipschitz_critic.py": CRITIC}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("energy.py", "random_features.py", "rings.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    loaded, folder = load_suite(str(tmp_path / "yours.yaml"), ["seeds=1"])
    specs = expand(loaded, RunContext(tmp_path / "out", suite_folder=folder))
    assert {spec.objective for spec in specs} == {"wgan-gp", "zero-gp"}
    assert {spec.architecture for spec in specs} == {"mlp-3x128", "Critic(width=64, generator=mlp)"}
    assert {spec.dataset for spec in specs} == {"8gaussians", "rings.py:rings?noise=0.2", "digits"}
    assert len(specs) == 12
    outside = {target for spec in specs for target in spec.outside}
    measures = {"energy.py:EnergyDistance", "random_features.py:RandomFeatures"}
    assert outside == {"my.py:MyObjective", "lipschitz_critic.py:Critic", "rings.py:rings?noise=0.2", *measures}


def test_data_of_ones_own_run_in_a_suite(lipbench: Callable[..., str]) -> None:
    assert len((EXAMPLES / "rings.py").read_text(encoding="utf-8").splitlines()) <= 15
    short = ["--jobs", "1", "--set", "steps=2", "seeds=1", "evaluation={count: 1, points: 50, repeats: 1}"]
    run = ["run", str(EXAMPLES / "rings.yaml"), *short, "--set", "objectives=[sn-gan]"]
    printed = lipbench(*run)
    assert "rings.py:rings?noise=0.2" in printed
    assert "2 completed" in printed
    assert "2 completed (2 of them from before)" in lipbench(*run)


@pytest.mark.slow
def test_python_of_the_questions_runs_on_the_folder_of_the_first_page(
    lipbench: Callable[..., str], tmp_path: Path
) -> None:
    page = (EXAMPLES.parent / "faq.md").read_text(encoding="utf-8")
    scripts = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    assert [name for name, _ in scripts] == ["loss.py", "best.py"]
    short = ["datasets=8gaussians", "steps=4", "seeds=1", "evaluation={count: 2, points: 50, mode_points: 100}"]
    lipbench("run", "quick", "--jobs", "1", "--set", *short, "--out", "results/first")
    for name, code in scripts:
        (tmp_path / name).write_text(code, encoding="utf-8")
        done = subprocess.run([sys.executable, name], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert all(objective in done.stdout for objective in ("minimax", "wgan-clip", "wgan-gp", "sn-gan"))


def test_python_of_the_pages_runs_with_few_updates(tmp_path: Path) -> None:
    """README, docs/python.md and the questions, on one results folder; the slow tests run them whole."""
    pages = [EXAMPLES.parents[1] / "README.md", EXAMPLES.parent / "python.md", EXAMPLES.parent / "faq.md"]
    blocks = [
        re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for page in pages
    ]
    assert [len(found) for found in blocks] == [2, 5, 2]
    readme, python, questions = blocks
    code = "\n".join([readme[1], *python[:-1], *questions])  # the objective and the loop have tests of their own
    short = re.sub(
        r'"seeds": 2',
        '"seeds": 1, "evaluation": {"count": 2, "points": 50, "mode_points": 100, "repeats": 0}',
        code,
        count=1,
    )
    short = short.replace('"count": 3, "points": 100', '"count": 2, "points": 50, "mode_points": 100, "repeats": 0')
    (tmp_path / "pages.py").write_text(short.replace('"steps": 60', '"steps": 2'), encoding="utf-8")
    done = subprocess.run([sys.executable, "pages.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout and "w1_tail_mean" in done.stdout and "critic_estimate" in done.stdout
