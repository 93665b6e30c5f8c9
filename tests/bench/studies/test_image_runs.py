"""Where image studies train, what they train, and that each runs from end to end at smoke."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lipbench.bench.config.spec import expand
from lipbench.bench.data import Dataset
from lipbench.bench.metrics import inception
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.run.context import RunContext
from lipbench.bench.studies import STUDIES, NotAtThisScale, Resources, Scale, Setting, Size
from lipbench.bench.studies.claims.vanishing_gradient.g01 import RECIPE
from lipbench.bench.studies.engine import store
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.training import image_games
from lipbench.bench.studies.training.critics import CriticRun
from lipbench.bench.studies.training.fixed_generator import Images

IMAGES = [name for name in STUDIES if name.startswith("G")]


def setting(scale: Scale, folder: Path, device: str = "auto") -> Setting:
    return Setting(scale, (0,), {}, folder, folder / "runs", Resources(device=device))


def test_full_scale_wants_a_gpu_unless_a_device_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    full = setting("full", tmp_path)
    with pytest.raises(NotAtThisScale, match="needs a GPU"):
        image_games.device_of(full)
    assert image_games.device_of(setting("full", tmp_path, "cpu")) == "cpu"
    assert image_games.device_of(setting("smoke", tmp_path)) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert image_games.device_of(full) == "cuda:0"
    assert image_games.device_of(setting("full", tmp_path, "cpu")) == "cpu"
    assert image_games.device_of(setting("full", tmp_path, "cuda:1")) == "cuda:1"


def test_comparison_is_the_four_ways_as_published() -> None:
    """NUMBERS' recipes on images, with SN-GAN's CNN for all."""
    specs = {
        name: expand(image_games.game(name, image_games.LARGE).suite(10, [0], Evaluation()), RunContext(Path()))[0]
        for name in image_games.GAMES
    }
    assert {spec.architecture for spec in specs.values()} == {"sngan-cnn"}
    assert {spec.recipe_spec.batch for spec in specs.values()} == {64}
    assert {name: spec.recipe_spec.n_critic for name, spec in specs.items()} == {
        "minimax": 1,
        "NS": 1,
        "clip": 5,
        "GP": 5,
        "SN": 1,
    }
    assert specs["clip"].arguments["clip"] == 0.01
    assert specs["GP"].arguments["weight"] == 10.0
    assert specs["SN"].arguments["loss"] == "hinge"


def test_extractor_is_inception_only_where_its_weights_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pixels = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    for own, expected in (("inception", "efficientnet-lite0"), ("mnist-cnn", None)):
        data = Dataset("x", (3, 32, 32), pixels, pixels, None, None, own, "")
        assert image_games.extractor_of(data, None) == expected
        assert image_games.extractor_of(data, tmp_path / "w.pth") is None
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / inception.FILE).touch()
    assert image_games.extractor_of(replace(data, extractor="inception"), None) is None


@pytest.mark.parametrize("name", IMAGES)
def test_sizes_are_twenty_thousand_updates_three_seeds_on_a_gpu(name: str) -> None:
    sizes = STUDIES[name].sizes
    assert isinstance(sizes["quick"], str)
    assert isinstance(sizes["full"], Size) and isinstance(sizes["smoke"], Size)
    assert sizes["full"].seeds == 3
    assert sizes["full"].options["dataset"] == "cifar10" and sizes["full"].options["architecture"] == "sngan-cnn"
    assert sizes["smoke"].seeds < STUDIES[name].min_seeds


def test_images_game_is_fixed_and_the_same_wherever_the_files_lie() -> None:
    small = Images("mnist5k", "dcgan", (("channels", 2),))
    game = small.game(3)
    assert game.generator is not None
    latents = game.latents(8)
    assert latents.dtype == torch.float32
    with torch.no_grad():
        together, alone = game.generator(latents), torch.cat([game.generator(z[None]) for z in latents])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)  # no sample depends on the others
    assert together.std() > 0.01  # 0.0002 with the statistics that batch norms start with
    real, fake = game.evaluation(8)
    assert real.shape == fake.shape == (8, 1, 28, 28)
    assert torch.equal(real, small.game(3).evaluation(8)[0]) and torch.equal(fake, small.game(3).evaluation(8)[1])
    assert not torch.equal(fake, small.game(4).evaluation(8)[1])
    run = CriticRun(small, "minimax", RECIPE, 2, 0)
    assert replace(run, fixed=replace(small, data=Path("elsewhere"), device="cuda:1")).id == run.id
    assert replace(run, fixed=replace(small, settings=(("channels", 3),))).id != run.id


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_image_studies_run_at_smoke(name: str, tmp_path: Path) -> None:
    size = STUDIES[name].sizes["smoke"]
    assert isinstance(size, Size)
    found = Setting("smoke", (0,), size.options, tmp_path, tmp_path / "runs", Resources(device="cpu"))
    measurements = store.frame(STUDIES[name].run(found))
    verdict = judge(STUDIES[name], measurements)
    assert {str(part.outcome) for part in verdict.parts} == {"inconclusive"}
    assert not any(math.isnan(finding.measured.value) for part in verdict.parts for finding in part.findings)
    for picture in (STUDIES[name].plot, *STUDIES[name].pictures.values()):
        picture(measurements).savefig(tmp_path / "plot.png", dpi=40)
