"""Suites and command lines as nobody would write them on purpose: valid ones, changed at random from a seed."""

import random
from copy import deepcopy
from typing import Any

import yaml

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, 10**6, 10**9, 10**19, -(10**25), 1e-320),
    *(float("nan"), float("inf"), float("-inf")),
    *("", " ", "x", "..", "/", "a/b", "~", "none", "True", "é", "漢字" * 50, "\u202eabc", "\x1b[31mred\x1b[0m"),
    *("a\nb", "\t"),
    *("a" * 5000, "\x00", "\x7f", "%s{}{0}", "[red]x[/red]", "[/]", "name: x", "../../etc/passwd"),
    *("absent.py:X", "os:getcwd"),
    *([], {}, [[]], [{}], {"": None}, {"name": None}, {"name": "x"}, [1, "a", None], [0] * 300, {"low": 1, "high": 0}),
    *({"low": float("nan"), "high": 10**30}, {"low": 1, "high": 5, "log": "yes"}, {1: 2}, {True: False}),
]  # fmt: skip
KEYS = [
    *("width", "depth", "channels", "norm", "latent_dim", "offset", "classes", "lr", "betas", "n_critic", "batch"),
    *("ema", "decay", "optimizer", "critic_lr", "generator_batch", "name", "loss", "weight"),
    *("default", "minimax", "count"),
    *("points", "images", "metrics", "extractor", "split", "is_splits", "is_images", "reals", "repeats", "protocol"),
    *("tune", "steps", "seeds", "losses", "accelerate", "precision", "max_runs", "8gaussians", "digits", "unknown"),
]  # fmt: skip
NETWORKS = [
    *({"name": "mlp", "width": 8, "depth": 2}, {"name": "mlp", "width": 16, "activation": "maxmin"}, "mlp", "dcgan"),
    *({"name": "mlp", "norm": "batch", "latent": "uniform", "latent_dim": 4}, {"name": "dcgan", "channels": 4}),
    *({"name": "sngan-cnn"}, {"name": "local-cnn"}, "sngan-resnet"),
]  # fmt: skip
RECIPES: list[Any] = [
    *("published", "matched", "stability", "sngan-c"),
    {"name": "mine", "lr": 0.001, "n_critic": 1, "batch": 16, "betas": [0.5, 0.9]},
    {"name": "two", "wgan-gp": "matched", "default": {"lr": 0.01, "optimizer": "rmsprop"}},
    {"lr": 1e-4, "ema": 0.9, "decay": "linear", "critic_lr": 0.1, "generator_batch": 8},
]
TUNES: list[Any] = [
    {"lr": {"low": 1e-4, "high": 1e-2, "log": True}, "n_critic": [1, 5]},
    {"weight": {"low": 0.1, "high": 100}, "wgan-clip": {"clip": [0.1, 0.01]}, "batch": {"low": 8, "high": 64}},
    {"beta1": {"low": 0, "high": 0.9}, "gamma": [1]},
]


def suite(rng: random.Random) -> dict[str, Any]:
    """A valid suite of a few runs, which are never made."""
    objectives = ["minimax", "wgan-gp", "wgan-clip", "sn-gan", "r1", {"name": "wgan-gp", "weight": 1.0}]
    return deepcopy(
        {
            "name": "fuzzed",
            "objectives": rng.sample(objectives, rng.randint(1, 3)),
            "datasets": rng.sample(["8gaussians", "25gaussians", "swissroll", "digits"], rng.randint(1, 2)),
            "architectures": rng.sample(NETWORKS, rng.randint(1, 2)),
            "recipe": rng.sample(RECIPES, 1),
            "steps": rng.choice([10, {"8gaussians": 5, "25gaussians": 5, "swissroll": 5, "digits": 5}]),
            "seeds": rng.choice([1, [0, 3]]),
            "evaluation": {"count": 2, "points": 50, "mode_points": 100, "images": 100, "extractor": "mnist-cnn"},
            "tune": rng.choice(TUNES),
            **({"losses": ["hinge", "wasserstein"]} if rng.random() < 0.2 else {}),
        }
    )


def odd_suite(seed: int) -> bytes:
    """The file of a suite that was changed in one to three places, or whose text was."""
    rng = random.Random(seed)
    content = suite(rng)
    for _ in range(rng.randint(1, 3)):
        _change(content, rng)
    text = yaml.safe_dump(content, allow_unicode=rng.random() < 0.5, sort_keys=False)
    return _spoil(text, rng) if rng.random() < 0.2 else text.encode(errors="surrogatepass")


def _change(content: dict[str, Any], rng: random.Random) -> None:
    """One value becomes another, goes, or gets a neighbour."""
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
            break
        place = place[key]
    what = rng.random()
    if what < 0.1:
        del place[key]
    elif what < 0.3 and isinstance(place, dict):
        place[rng.choice([*KEYS, "\x1b[2J", "a\nb", "", 3, None])] = deepcopy(rng.choice(ODD))
    elif what < 0.4 and isinstance(place, list):
        place.append(deepcopy(place[key]))
    elif what < 0.45:
        place[key] = {"name": rng.choice(["mlp", "dcgan"]), rng.choice(["width", "depth", "channels"]): rng.choice(
            [10**6, 10**5, 10**9, 5000])}  # fmt: skip
    else:
        place[key] = deepcopy(rng.choice(ODD))


SPOILS = [
    *(b"\xff", b"\x00", b"\xed\xa0\x80", b"\t", b": ", b"- ", b"*x", b"&x ", b"!!int ", b"[", b"{", b"'", b"\r"),
    *(b'"\\ud800"', b'"\\e[31m"', b"\n---\n", b"[" * 2000, b"? ", b"| ", b"%TAG", b"<<: "),
]  # fmt: skip


def _spoil(text: str, rng: random.Random) -> bytes:
    """Bytes that are put in, left out or doubled."""
    content, at = text.encode(), rng.randrange(len(text))
    put = rng.choice(SPOILS)
    return rng.choice([content[:at] + put + content[at:], content[:at], content[:at] + content[: at // 2]])


# Never an option that would download, wait for a cluster or train: a folder below a file stops those that would begin.
COMMANDS: dict[str, list[str]] = {
    "run": ["small.yaml", "--out", "small.yaml/out", "--jobs", "1"],
    "tune": ["small.yaml", "--budget", "2", "--out", "small.yaml/out", "--jobs", "1"],
    "study": ["T1", "--out", "small.yaml/out"],
    "report": ["absent"],
    "compare": ["absent", "also-absent"],
    "sample": ["absent"],
    "check": ["absent.py:Mine"],
    "list": ["things"],
}
OPTIONS: dict[str, list[str]] = {
    "run": ["jobs", "seeds", "set", "data", "device", "accelerate", "precision", "logger", "checkpoint-seconds",
            "retries", "time-limit", "executor", "gpus-per-run", "slurm", "weights"],
    "tune": ["budget", "metric", "jobs", "seeds", "set", "data", "device", "weights", "checkpoint-seconds"],
    "study": ["scale", "jobs", "seeds", "set", "data", "device", "weights"],
    "report": [],
    "compare": ["out"],
    "sample": ["n", "seed", "out"],
    "check": ["set"],
    "list": [],
}  # fmt: skip
VALUES = [
    *("", " ", "-1", "0", "1", "nan", "inf", "1e400", "-1e-9", "9" * 400, "1.5", "x", "None", "null", "true"),
    *("[]", "{}", "[1", "a=b", "=", "steps=", "steps=x", "seeds=-1", "name=", "name=a/b", "evaluation=3"),
    *("evaluation.count=0", "objectives=[]", "architectures=[{name: mlp, depth: 1000000}]"),
    *("steps=99999999999999999999", "tune={lr: 3}"),
    *("\x1b[31m", "a\nb", "é", "\udcff", "\ud800", "\x00", "..", "/", "small.yaml", "/dev/null", "/proc/self/mem"),
    *("a" * 5000, "cuda:x", "cpu:1", "auto", "--", "-", "--nope", "%s", "{0}", "[red]", "~", "$HOME"),
    *("*", "!!int x", "&a [*a]"),
]  # fmt: skip


def odd_command(seed: int) -> list[str]:
    """A command line with one to three options, or an argument, that are wrong."""
    rng = random.Random(seed)
    command = rng.choice(["run", "tune", *COMMANDS])
    line = [command, *COMMANDS[command]]
    for _ in range(rng.randint(1, 3)):
        if OPTIONS[command] and rng.random() < 0.8:
            option, value = rng.choice(OPTIONS[command]), rng.choice(VALUES)
            line += [f"--{option}={value}"] if rng.random() < 0.5 else [f"--{option}", value]
        elif rng.random() < 0.5:
            line[1] = rng.choice(VALUES)
        else:
            line.insert(rng.randrange(len(line) + 1), rng.choice(VALUES))
    return line
