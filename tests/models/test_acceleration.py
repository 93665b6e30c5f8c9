"""Accelerated iterations compute what the eager one does. Compiling and CUDA take long or a GPU: see their marks."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lipbench.bench import data as toys
from lipbench.bench.metrics import stability
from lipbench.models import GAN, Iteration, Recipe, check_device, draw_latent, refusal
from lipbench.models.acceleration import Compiled, TrainingLoop, rehearse
from lipbench.models.snapshot import Snapshot, changing
from lipbench.objectives import (
    BUILTINS,
    BadInput,
    Batch,
    GradientPenalty,
    InstanceNoise,
    NonSaturating,
    Objective,
    SpectralNorm,
    WeightClipping,
)

MakeIteration = Callable[..., Iteration]
Fit = Callable[..., pl.Trainer]
CAPTURABLE = [name for name, cls in BUILTINS.items() if cls().capturable]
RECIPES = [
    {"ema": 0.9, "decay": "linear", "n_critic": 2},
    {"optimizer": "rmsprop", "n_critic": 3, "network": {"norm": "batch"}},
    {"betas": (0.5, 0.999), "critic_lr": 2e-2, "generator_batch": 24},
]


class Scheduled(NonSaturating):
    """A loss that follows the step by arithmetic alone, and draws."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        noise = torch.randn(batch.real.shape, generator=batch.rng, device=batch.real.device)
        return critic(batch.real + noise * (1 + batch.step)).mean() - critic(batch.fake).mean()


class Rerun:
    """Stands in for a recorder of CUDA graphs: runs the function as often as a real one does, then again to replay."""

    def __init__(self) -> None:
        self.replays = 0

    def __call__(self, iteration: Iteration) -> Callable[[], Tensor]:
        undo = Snapshot(iteration)
        rehearse(iteration, 3)
        undo.restore()

        def replay() -> Tensor:
            self.replays += 1
            return iteration.once()

        return replay


class Save(pl.Callback):
    """Writes a checkpoint after three iterations."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        pl_module.pauses.add(3)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        if pl_module.iteration.updates == 3:
            trainer.save_checkpoint(self.path)


def traced(iteration: Iteration) -> Compiled:
    """With a compiler that leaves everything as it is: what is tested is the graph."""
    return Compiled(iteration, lambda graph, inputs: graph)


STAND_INS: dict[str, Callable[[], Any]] = {"graph": Rerun, "compile": lambda: traced}  # for CUDA, for torch's compiler


def run(iteration: Iteration, count: int) -> Iteration:
    """So many iterations, with the stand-in where they are accelerated."""
    TrainingLoop(iteration, STAND_INS.get(iteration.accelerate, lambda: None)()).run(count)
    return iteration


def state(iteration: Iteration) -> Tensor:
    """All that training has changed, streams, scalars and the generator's gradients included."""
    streams = [iteration.stream(name).get_state() for name in iteration.drawing]
    gradients = [p.grad for p in iteration.generator.parameters() if p.grad is not None]
    changed = (*changing(iteration), *streams, iteration.scalars, *gradients)
    return torch.cat([x.detach().cpu().double().flatten() for x in changed])


def same(a: Iteration, b: Iteration, rtol: float = 0, atol: float = 0) -> None:
    torch.testing.assert_close(state(b), state(a), rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    ("objective", "recipe"),
    [(Scheduled, RECIPES[0]), (SpectralNorm, RECIPES[1]), (GradientPenalty, RECIPES[2]), (WeightClipping, RECIPES[0])],
)
def test_acceleration_graph_rehearses_without_a_trace_and_then_computes_what_eager_does(
    make_iteration: MakeIteration, objective: type[Objective], recipe: dict[str, Any]
) -> None:
    """RMSprop's `capturable` form exists on GPUs alone."""
    if recipe.get("optimizer") == "rmsprop":
        recipe = recipe | {"optimizer": "adam"}
    eager, graph = (make_iteration(objective(), accelerate=how, **recipe) for how in ("none", "graph"))
    rerun = Rerun()
    eager.run(5)
    TrainingLoop(graph, rerun).run(5)
    assert rerun.replays == 5
    same(eager, graph)


@pytest.mark.parametrize(
    ("objective", "recipe"),
    [
        (Scheduled, RECIPES[0]),
        (SpectralNorm, RECIPES[1]),
        (GradientPenalty, RECIPES[2]),
        pytest.param(WeightClipping, RECIPES[0], marks=pytest.mark.slow),
        pytest.param(GradientPenalty, RECIPES[1], marks=pytest.mark.slow),
        pytest.param(SpectralNorm, RECIPES[2], marks=pytest.mark.slow),
    ],
)
def test_acceleration_traced_iteration_computes_what_eager_does(
    make_iteration: MakeIteration, objective: type[Objective], recipe: dict[str, Any]
) -> None:
    """Adam is written out, so the last bits differ; RMSprop's operations are the same."""
    eager, compiled = (make_iteration(objective(), accelerate=how, **recipe) for how in ("none", "compile"))
    exact = recipe.get("optimizer") == "rmsprop"
    same(run(eager, 5), run(compiled, 5), *((0, 0) if exact else (1e-4, 1e-5)))


def test_acceleration_traced_conditional_iteration_computes_what_eager_does(make_iteration: MakeIteration) -> None:
    """RMSprop: a bias before batch norm has no gradient but rounding, which Adam would make steps of."""
    how: dict[str, Any] = {"network": {"classes": 8, "norm": "batch"}, "data": toys.load("8gaussians")}
    how |= {"generator_batch": 24, "optimizer": "rmsprop"}
    eager, compiled = (make_iteration(SpectralNorm(), accelerate=way, **how) for way in ("none", "compile"))
    same(run(eager, 3), run(compiled, 3), 1e-4, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CAPTURABLE)
def test_acceleration_traces_every_capturable_objective(make_iteration: MakeIteration, name: str) -> None:
    eager, compiled = (make_iteration(BUILTINS[name](), accelerate=how) for how in ("none", "compile"))
    same(run(eager, 2), run(compiled, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("accelerate", ["graph", pytest.param("compile", marks=pytest.mark.slow)])
def test_acceleration_goes_on_from_a_checkpoint(
    make_iteration: MakeIteration, fit: Fit, tmp_path: Path, accelerate: str
) -> None:
    """The graph is made anew on the tensors that the checkpoint was loaded into."""
    how: dict[str, Any] = {"accelerate": accelerate, "ema": 0.9, "decay": "linear"}
    whole, first, second = (GAN(make_iteration(SpectralNorm(), **how)) for _ in range(3))
    for gan in (whole, first, second):
        gan.loop = TrainingLoop(gan.iteration, STAND_INS[accelerate]())
    fit(whole)
    fit(first, callbacks=[Save(tmp_path / "half.ckpt")])
    fit(second, ckpt_path=tmp_path / "half.ckpt")
    assert second.iteration.updates == 6
    same(whole.iteration, second.iteration)


def test_acceleration_iterations_and_evaluations_keep_every_address(make_iteration: MakeIteration) -> None:
    """A captured iteration reads and writes where the tensors lay when it was captured."""
    iteration, seen = make_iteration(SpectralNorm(), ema=0.9, n_critic=2, network={"norm": "batch"}), []
    for _ in range(3):
        iteration.run(1)
        seen.append([x.data_ptr() for x in changing(iteration)])
        rng = iteration.stream("evaluation")
        with stability.evaluating(iteration.critic, iteration.generator):
            x = iteration.sampler(draw_latent(iteration.networks, 8, rng))
            stability.critic_slopes(iteration.critic, x, x, rng)
            stability.singular_values(iteration.critic, x)
    assert len(seen[0]) > 30
    assert seen[0] == seen[1] == seen[2]


def test_acceleration_gives_objectives_the_step_as_a_tensor(make_iteration: MakeIteration) -> None:
    """A plain number would be that of the capture for ever."""
    steps: list[Any] = []

    class Curious(NonSaturating):
        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            steps.append(batch.step.clone() if isinstance(batch.step, Tensor) else batch.step)
            return super().critic_loss(critic, batch)

    run(make_iteration(Curious(), accelerate="graph"), 3)
    assert [int(x) for x in steps if isinstance(x, Tensor)][-3:] == [0, 1, 2]


class Deciding(NonSaturating):
    """Claims to be capturable, and is not."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch) * (1 if batch.step < 2 else 2)


class Drawing(NonSaturating):
    """Draws into a tensor."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + torch.empty_like(x).normal_(generator=batch.rng)


class Asserting(NonSaturating):
    """Fails without a word."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        raise AssertionError


@pytest.mark.parametrize(
    ("objective", "cause"),
    [
        (Deciding(), "get value out of a tracing tensor"),
        (Drawing(), "draw with torch.rand"),
        (Asserting(), "AssertionError$"),
    ],
)
def test_acceleration_fails_with_the_cause(make_iteration: MakeIteration, objective: Objective, cause: str) -> None:
    iteration = make_iteration(objective, accelerate="compile")
    with pytest.raises(RuntimeError, match=rf"accelerate: compile: .*non-saturating cannot be captured: .*{cause}"):
        run(iteration, 1)
    assert iteration.updates == 0


class Counting(NonSaturating):
    """A penalty at every other step, by a number that only Python knows."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor | None:
        self.calls += 1
        return critic(batch.real).square().mean() if self.calls % 2 else None


class Rebinding(NonSaturating):
    """A multiplier that is another tensor after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("multiplier", torch.ones(()))

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.multiplier = 0.9 * self.multiplier
        return super().critic_loss(critic, batch) * self.multiplier


class Replacing(WeightClipping):
    """Clips by putting new tensors into the parameters."""

    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            parameter.data = parameter.data.clamp(-self.clip, self.clip)


@pytest.mark.parametrize("accelerate", ["graph", "compile"])
@pytest.mark.parametrize("n_critic", [1, 2])
@pytest.mark.parametrize(
    ("objective", "cause"),
    [
        (Counting, r"objective\.calls changed from \d to \d: keep state in a buffer"),
        (Rebinding, r"objective\.multiplier is replaced by another tensor"),
        (Replacing, r"critic\.\S+ is replaced by another tensor"),
    ],
)
def test_acceleration_refuses_what_it_would_read_once(
    make_iteration: MakeIteration, objective: type[Objective], cause: str, n_critic: int, accelerate: str
) -> None:
    """With two critic steps a memory allocator may well give back the first step's address."""
    iteration = make_iteration(objective(), accelerate=accelerate, n_critic=n_critic)
    with pytest.raises(RuntimeError, match=rf"accelerate: {accelerate}: .*cannot be captured: {cause}"):
        run(iteration, 1)


class Overflowing(NonSaturating):
    """Runs out of memory, and what it interrupts then complains of something else."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        try:
            raise torch.OutOfMemoryError("no room")
        finally:
            raise RuntimeError("the capture has failed")


def test_acceleration_tells_that_memory_ran_out(make_iteration: MakeIteration) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        run(make_iteration(Overflowing(), accelerate="graph"), 1)


@pytest.mark.parametrize(
    ("accelerate", "objective", "recipe", "reason"),
    [
        ("none", GradientPenalty(at="ot_line"), Recipe(), None),
        ("graph", GradientPenalty(at="ot_line"), Recipe(), r"wgan-gp needs the host .*accelerate: none"),
        ("compile", GradientPenalty(at="ot_line"), Recipe(), r"wgan-gp needs the host .*accelerate: none"),
        ("graph", InstanceNoise(until=5), Recipe(), r"instance-noise needs the host"),
        ("graph", InstanceNoise(), Recipe(decay="linear"), None),
        ("graph", SpectralNorm(), Recipe("rmsprop", decay="linear"), None),
        ("compile", SpectralNorm(), Recipe("rmsprop", decay="linear"), r"RMSprop with a learning rate that decays"),
        ("compile", SpectralNorm(), Recipe("rmsprop"), None),
    ],
)
def test_acceleration_refuses_runs_that_cannot_have_it(
    accelerate: str, objective: Objective, recipe: Recipe, reason: str | None
) -> None:
    found = refusal(accelerate, objective, recipe)
    assert found is None if reason is None else re.match(reason, str(found))


def test_acceleration_does_not_compile_simultaneous_updates() -> None:
    recipe = Recipe(updates="simultaneous")
    assert re.match("simultaneous updates cannot be compiled", str(refusal("compile", SpectralNorm(), recipe)))
    assert refusal("graph", SpectralNorm(), recipe) is None


def test_acceleration_refuses_graphs_of_data_that_are_fed() -> None:
    assert re.match("the data do not fit", str(refusal("graph", SpectralNorm(), Recipe(), resident=False)))
    assert refusal("compile", SpectralNorm(), Recipe(), resident=False) is None


@pytest.mark.parametrize(("accelerate", "precision"), [("graph", "32"), ("none", "tf32")])
def test_acceleration_wants_a_gpu_for_graphs_and_tf32(accelerate: str, precision: str) -> None:
    option = f"accelerate '{accelerate}'" if accelerate != "none" else f"precision '{precision}'"
    with pytest.raises(BadInput, match=rf"^{option}: needs a CUDA GPU, and the device is cpu$"):
        check_device(accelerate, precision, "cpu")
    check_device(accelerate, precision, "cuda:0")
    check_device("compile", "bf16", "cpu")


@pytest.mark.parametrize(("key", "value"), [("accelerate", "cuda"), ("precision", "16")])
def test_acceleration_names_what_is_known(make_iteration: MakeIteration, key: str, value: str) -> None:
    with pytest.raises(BadInput, match=rf"unknown {key} '{value}'.*known: (compile, graph, none|32, bf16, tf32)$"):
        make_iteration(**{key: value})


@pytest.mark.slow
@pytest.mark.parametrize("objective", [GradientPenalty, SpectralNorm, WeightClipping, NonSaturating])
def test_acceleration_compiled_iteration_computes_what_eager_does(
    make_iteration: MakeIteration, objective: type[Objective]
) -> None:
    """After 50 iterations: within 1 % of the way that the parameters have gone, and scalars within 1 %."""
    recipe: dict[str, Any] = {"lr": 1e-3, "betas": (0.5, 0.9), "n_critic": 2, "ema": 0.9, "steps": 50}
    start, eager, compiled = (make_iteration(objective(), accelerate=x, **recipe) for x in ("none", "none", "compile"))
    eager.run(50)
    loop = TrainingLoop(compiled)
    loop.run(50)
    went, apart = (
        torch.cat([(p - q).detach().flatten() for p, q in zip(a.parameters(), b.parameters(), strict=True)]).norm()
        for a, b in ((eager.parts, start.parts), (eager.parts, compiled.parts))
    )
    assert went > 0.1
    assert apart < 0.01 * went
    torch.testing.assert_close(compiled.scalars, eager.scalars, rtol=0.01, atol=1e-3)
    assert loop.preparation_seconds > 0


@pytest.mark.slow
def test_acceleration_finds_again_what_was_compiled_before(
    make_iteration: MakeIteration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both graphs of another seed; and what comes from the cache computes what was compiled."""
    from torch._dynamo.utils import counters

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    ends: list[Tensor] = []
    for seed, hits, misses in ((3, 0, 2), (4, 2, 2), (3, 4, 2)):
        if not ends:
            counters.clear()
        iteration = make_iteration(SpectralNorm(), seed=seed, accelerate="compile")
        TrainingLoop(iteration).run(3)
        ends.append(state(iteration))
        found = counters["inductor"]
        assert (found["fxgraph_cache_hit"], found["fxgraph_cache_miss"]) == (hits, misses)
    assert torch.equal(ends[0], ends[2]) and not torch.equal(ends[0], ends[1])


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@cuda
@pytest.mark.parametrize("name", CAPTURABLE)
@pytest.mark.parametrize("recipe", RECIPES)
def test_acceleration_cuda_graph_computes_what_eager_does(
    make_iteration: MakeIteration, name: str, recipe: dict[str, Any]
) -> None:
    """Bit for bit over 50 iterations, but where the rate decays: a tensor holds it in float32, eager has a double."""
    how: dict[str, Any] = {"data": toys.load("8gaussians").to("cuda"), "device": "cuda", "steps": 50, **recipe}
    eager, graph = (make_iteration(BUILTINS[name](), accelerate=x, **how) for x in ("none", "graph"))
    for iteration in (eager, graph):
        TrainingLoop(iteration).run(50)
    tolerance = 1e-3 if recipe.get("decay") == "linear" else 0
    same(eager, graph, rtol=tolerance, atol=tolerance)


@cuda
def test_acceleration_cuda_graph_goes_on_from_a_checkpoint(
    make_iteration: MakeIteration, fit: Fit, tmp_path: Path
) -> None:
    data = toys.load("8gaussians").to("cuda")
    how: dict[str, Any] = {"data": data, "accelerate": "graph", "ema": 0.9, "decay": "linear"}
    whole, first, second = (GAN(make_iteration(GradientPenalty(), **how)) for _ in range(3))
    fit(whole, accelerator="gpu")
    fit(first, accelerator="gpu", callbacks=[Save(tmp_path / "half.ckpt")])
    fit(second, accelerator="gpu", ckpt_path=tmp_path / "half.ckpt")
    same(whole.iteration, second.iteration)
