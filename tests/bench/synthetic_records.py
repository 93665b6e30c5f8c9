"""Synthetic records, as a runner would leave them: points and images, seeds, a diverged, a failed and a skipped run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

OBJECTIVES = ("minimax", "wgan-clip", "wgan-gp", "sn-gan")
LEVEL = {"minimax": 0.6, "wgan-clip": 0.3, "wgan-gp": 0.06, "sn-gan": 0.09}
ROWS = 31
Override = Callable[[dict[str, Any], dict[str, Any]], None]


def _points(rng: np.random.Generator, n: int, spread: float, modes: int = 8) -> np.ndarray:
    angle = 2 * np.pi * rng.integers(0, modes, n) / 8
    return (np.c_[np.cos(angle), np.sin(angle)] * 1.4 + spread * rng.normal(size=(n, 2))).astype(np.float32)


def _images(rng: np.random.Generator, n: int, noise: float, side: int = 12, channels: int = 1) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    ring = np.exp(-((np.hypot(x, y)[None] - rng.uniform(1.5, side / 2.6, n)[:, None, None]) ** 2) / 1.5)
    pictures = np.repeat(ring[:, None], channels, 1) + noise * rng.normal(size=(n, channels, side, side))
    return (255 * pictures.clip(0, 1)).astype(np.uint8)


def _quality(points: bool, level: float, decay: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    course = level + 2.5 * decay
    noisy = course * np.exp(0.15 * rng.normal(size=len(decay)))
    if not points:
        return {"fd": 200 * noisy, "is": 1 + 8 / (1 + 3 * noisy)}
    modes = np.round(8 * (1 - np.minimum(1, 0.6 * course))).clip(1, 8)
    return {"w1": noisy, "modes": modes, "high_quality": 0.95 / (1 + noisy), "mode_kl": 0.02 * noisy**2}


def _history(spec: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    t, name = np.linspace(0, 1, ROWS), spec["objective"]
    decay, level = np.exp(-6 * t), LEVEL.get(name, 0.2)
    step = np.round(t * spec["steps"])
    columns: dict[str, np.ndarray] = {"step": step, "critic_steps": 5 * step, "images": 5 * 256 * step}
    columns["seconds"] = step * (0.004 if name == "wgan-gp" else 0.003)
    columns |= _quality("gaussians" in spec["dataset"], level, decay, rng)
    fade = {"minimax": -7, "wgan-clip": -3}.get(name, -0.3)
    columns["critic_loss"], columns["generator_loss"] = (
        -decay + 0.1 * rng.normal(size=ROWS),
        0.3 * rng.normal(size=ROWS),
    )
    columns["generator_grad_norm"] = 10 ** (fade * t + 0.2 * rng.normal(size=ROWS))
    columns["critic_estimate"] = decay + 0.02 * rng.normal(size=ROWS)
    for where, base in (("real", 0.9), ("fake", 1.1), ("line", 1.0)):
        mean = base * (1 - decay) * {"wgan-clip": 0.01, "minimax": 30}.get(name, 1) + 1e-3
        columns |= {f"slope_{where}_mean": mean, f"slope_{where}_sd": mean / 8, f"slope_{where}_max": mean * 1.5}
    if name == "wgan-clip":
        columns["clipped_share"] = 0.8 * (1 - decay)
    columns["sigma_max"], columns["sample_spread"] = 1 + 3 * (1 - decay), 1 - 0.5 * decay
    return columns


def _spec(objective: str, dataset: str, recipe: str, seed: int, steps: int) -> dict[str, Any]:
    return {
        "run": f"{objective}-{dataset}-{recipe}-{seed}".replace("/", "_"),
        "schema_version": 1,
        "objective": objective,
        "objective_spec": {"name": objective, "arguments": {"loss": "wasserstein", "weight": 10.0}},
        "loss": "wasserstein",
        "dataset": dataset,
        "architecture": "mlp-3x128" if "gaussians" in dataset else "dcgan-28",
        "architecture_spec": {"name": "mlp", "width": 128, "depth": 3},
        "recipe": recipe,
        "recipe_spec": {"optimizer": "adam", "lr": 5e-4, "betas": [0.0, 0.9], "n_critic": 5, "batch": 256},
        "seed": seed,
        "steps": steps,
        "evaluation": {"every": 100, "n_fake": 1000},
        "code": "0123456789abcdef",
        "device": "cpu",
        "threads": 1,
    }


def _protocol(points: bool) -> dict[str, Any]:
    if points:
        return {name: {"n_real": 1000, "n_fake": 1000, "split": "fresh"} for name in ("w1", "modes", "mode_kl")}
    common = {"extractor": "mnist-cnn", "sha256": "ab" * 32, "n_real": 5000, "n_fake": 5000, "split": "test"}
    return {"fd": common, "is": common}


def _layers(objective: str, rng: np.random.Generator) -> dict[str, Any]:
    names, clip = [f"layers.{i}" for i in (0, 2, 4, 6)], 0.01 if objective == "wgan-clip" else None
    histograms = {}
    for name in names:
        weights = rng.normal(size=2000) * 0.1
        weights = (
            np.where(rng.random(2000) < 0.8, np.sign(weights) * clip, weights.clip(-clip, clip)) if clip else weights
        )
        counts, edges = np.histogram(weights, bins=40)
        histograms[name] = {"counts": counts.tolist(), "edges": edges.tolist()}
    sigma = {name: float((0.1 if clip else 1.5) * rng.uniform(0.8, 1.6)) for name in names}
    return {"singular_values": sigma, "weight_histogram": histograms, "clip": clip}


def _statistics(column: np.ndarray, better: str) -> dict[str, float | None]:
    finite, tail = column[np.isfinite(column)], column[-7:]
    best = (finite.min() if better == "lower" else finite.max()) if finite.size else np.nan
    found = {"best": best, "final": column[-1], "tail_mean": tail.mean(), "tail_sd": tail.std()}
    return {key: float(value) if np.isfinite(value) else None for key, value in found.items()}


def _result(spec: dict[str, Any], history: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, Any]:
    points = "gaussians" in spec["dataset"]
    metrics = [name for name in history if name not in ("step", "critic_steps", "images", "seconds")]
    higher = ("modes", "high_quality", "is")
    return {
        "run": spec["run"],
        "schema_version": 1,
        "status": "completed",
        "reason": None,
        "diverged_at": None,
        "recovered": False,
        "steps": int(history["step"][-1]),
        "metrics": {m: _statistics(history[m], "higher" if m in higher else "lower") for m in metrics},
        "floors": {"w1": 0.05 + 0.002 * float(rng.random())} if points else {"fd": 4.0, "is": 9.1},
        "protocol": _protocol(points),
        "seconds": float(history["seconds"][-1]),
        "seconds_per_iteration": 0.004,
        "seconds_per_critic_step": 0.0007,
        "peak_memory_mb": 321.5,
        "training_memory_mb": 123.5,
        "traceback": None,
        "layers": _layers(spec["objective"], rng),
        "versions": {"lipbench": "0.1.0", "torch": "2.11.0"},
    }


def _samples(spec: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    steps = np.round(np.linspace(0, spec["steps"], 6)).astype(int)
    level = LEVEL.get(spec["objective"], 0.2)
    if "gaussians" in spec["dataset"]:
        frames = [_points(rng, 400, 0.03 + level * 0.3 + np.exp(-2.0 * i), 3 if level > 0.5 else 8) for i in range(6)]
        return {"fake": frames[-1], "real": _points(rng, 1000, 0.02), "steps": steps, "snapshots": np.stack(frames)}
    c = 3 if spec["dataset"] == "cifar10" else 1
    frames = [_images(rng, 64, level + np.exp(-1.0 * i), channels=c) for i in range(6)]
    return {
        "fake": frames[-1],
        "real": _images(rng, 64, 0.02, channels=c),
        "steps": steps,
        "snapshots": np.stack(frames),
    }


def _diverge(result: dict[str, Any], history: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Cuts the history short with a row of NaN at its end, as a run that became NaN leaves it."""
    kept = {name: column[:13].copy() for name, column in history.items()}
    for name in kept.keys() - {"step", "critic_steps", "images", "seconds"}:
        kept[name][-1] = np.nan
    result.update(status="diverged", reason="nan", diverged_at=int(kept["step"][-1]) - 40, steps=int(kept["step"][-1]))
    result["metrics"] = {m: _statistics(kept[m], "lower") for m in result["metrics"]}
    return kept


def write_run(
    folder: Path, spec: dict[str, Any], status: str, rng: np.random.Generator, change: Override | None
) -> Path:
    history = _history(spec, rng)
    result = _result(spec, history, rng)
    if status == "diverged":
        history = _diverge(result, history)
    elif status in ("failed", "skipped"):
        result.update(status=status, metrics={}, floors={}, protocol={}, layers={}, steps=0)
        result["reason"] = (
            "RuntimeError: out of memory" if status == "failed" else "this dataset has <no> labels & no $classes"
        )
        result["traceback"] = "Traceback …\nRuntimeError: <b>out of memory</b>" if status == "failed" else None
    if change is not None:
        change(spec, result)
    run = folder / "runs" / spec["run"]
    run.mkdir(parents=True)
    (run / "spec.json").write_text(json.dumps(spec))
    (run / "result.json").write_text(json.dumps(result))
    if status in ("completed", "diverged"):
        rows = [
            ",".join(history),
            *(",".join(repr(float(v)) for v in row) for row in zip(*history.values(), strict=True)),
        ]
        (run / "history.csv").write_text("\n".join(rows) + "\n")
        np.savez_compressed(run / "samples.npz", **_samples(spec, rng))  # pyright: ignore[reportArgumentType]
    return run


@pytest.fixture(scope="session")
def make_sweep() -> Callable[..., Path]:
    """make_sweep(folder, objectives=…, datasets=…, seeds=…, statuses={(objective, dataset, seed): status}, change=…)"""

    def make(
        folder: Path,
        objectives: tuple[str, ...] = OBJECTIVES,
        datasets: tuple[str, ...] = ("8gaussians", "mnist5k"),
        recipes: tuple[str, ...] = ("matched",),
        seeds: int = 3,
        steps: int = 3000,
        statuses: dict[tuple[str, str, int], str] | None = None,
        change: Override | None = None,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        suite = {"objectives": list(objectives), "datasets": list(datasets), "seeds": seeds, "steps": steps}
        machine = {"cpu": "a <processor>", "cores": 2}
        (folder / "suite.json").write_text(
            json.dumps({"name": folder.name, "suite": suite, "version": "0.1.0", "machine": machine})
        )
        runs = [(o, d, r, s) for d in datasets for r in recipes for o in objectives for s in range(seeds)]
        for i, (objective, dataset, recipe, seed) in enumerate(runs):
            status = (statuses or {}).get((objective, dataset, seed), "completed")
            spec = _spec(objective, dataset, recipe, seed, steps)
            write_run(folder, spec, status, np.random.default_rng(i), change)
        return folder

    return make


MIXED = {
    ("minimax", "8gaussians", 1): "diverged",
    ("wgan-clip", "8gaussians", 2): "failed",
    ("sn-gan", "mnist5k", 0): "skipped",
}


@pytest.fixture(scope="session")
def sweep(make_sweep: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 objectives × 2 datasets × 3 seeds with one diverged, one failed and one skipped run. Not to be changed."""
    return make_sweep(tmp_path_factory.mktemp("results") / "sweep", statuses=MIXED)
