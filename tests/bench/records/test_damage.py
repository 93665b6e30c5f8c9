"""Damaged records, drawn at random: none passes for a sound one, and none ends in a traceback."""

import contextlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.records.checksums import SUMS, write_sums
from lipbench.bench.records.reader import FILES, Damaged, read_run, read_runs
from lipbench.bench.report.tables import runs_table
from lipbench.bench.studies.engine import store
from lipbench.objectives import BadInput

Damage = Callable[[bytes, random.Random], bytes]
ODD: list[Any] = [None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "x", [], [[]], {}, {"": []}]


def flip_a_bit(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def change_a_digit(content: bytes, rng: random.Random) -> bytes:
    places = [at for at, byte in enumerate(content) if chr(byte) in "0123456789"]
    at = rng.choice(places or [0])
    return content[:at] + str((content[at] - 47) % 10).encode() + content[at + 1 :]


def repeat_a_part(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at : at + 40] + content[at:]


def put_a_huge_field(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + b"9" * 200_000 + content[at:]


def put_bytes_that_are_no_text(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + rng.choice([b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b'"', b"nan"]) + content[at:]


def change_a_field(content: bytes, rng: random.Random) -> bytes:
    """One field of a JSON file, at any depth, becomes something else or goes; another file loses a byte."""
    try:
        whole = json.loads(content)
    except ValueError:
        return content[:-1]
    place = whole
    while True:
        key = rng.choice(list(place))
        if not (isinstance(place[key], dict) and place[key] and rng.random() < 0.6):
            break
        place = place[key]
    if rng.random() < 0.4:
        del place[key]
    else:
        place[key] = rng.choice([value for value in ODD if value != place[key]])
    return json.dumps(whole).encode()


def nest(content: bytes, rng: random.Random) -> bytes:
    return b"[" * 100_000 + content


DAMAGES: list[Damage] = [
    nest,
    flip_a_bit,
    cut,
    change_a_digit,
    repeat_a_part,
    put_a_huge_field,
    put_bytes_that_are_no_text,
    change_a_field,
]


def damage(folder: Path, names: tuple[str, ...], seed: int) -> str:
    """Damages one file so that it is another, or removes it; says which and how."""
    rng = random.Random(seed)
    path, how = folder / rng.choice(names), rng.choice(DAMAGES)
    if rng.random() < 0.05:
        path.unlink()
        return f"{path.name} removed"
    before = path.read_bytes()
    path.write_bytes(how(before, rng))
    return f"{path.name}: {how.__name__}" if path.read_bytes() != before else ""


@pytest.fixture
def sealed(sweep: Path, tmp_path: Path) -> Path:
    run = shutil.copytree(sweep / "runs" / "wgan-gp-8gaussians-matched-0", tmp_path / "sweep" / "runs" / "a")
    write_sums(run, FILES)
    return run


@pytest.mark.parametrize("seed", range(100))
def test_no_damage_to_a_record_passes_in_silence(sealed: Path, seed: int) -> None:
    read_run(sealed)
    if not damage(sealed, FILES, seed):
        return
    with pytest.raises(Damaged) as caught:
        read_run(sealed)
    assert str(sealed) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 1500


@pytest.mark.parametrize("seed", range(100))
def test_no_damage_to_a_record_without_sums_ends_in_a_traceback(sealed: Path, seed: int) -> None:
    (sealed / SUMS).unlink()
    how = damage(sealed, FILES, seed)
    try:
        runs_table(read_runs(sealed.parent.parent))
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 1500, how


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_to_the_sums_ends_in_a_traceback(sealed: Path, seed: int) -> None:
    damage(sealed, (SUMS,), seed)
    with contextlib.suppress(Damaged):
        assert read_run(sealed).spec["run"] == "wgan-gp-8gaussians-matched-0"


def test_sums_are_those_of_sha256sum(sealed: Path) -> None:
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("no sha256sum here")
    check = [program, "--check", "--strict", SUMS]
    assert subprocess.run(check, cwd=sealed, capture_output=True).returncode == 0
    (sealed / "spec.json").write_text((sealed / "spec.json").read_text().replace("mlp-3x128", "mlp-3x129"))
    assert subprocess.run(check, cwd=sealed, capture_output=True).returncode == 1


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("sums", [True, False])
def test_no_damage_to_a_study_passes_in_silence_or_ends_in_a_traceback(tmp_path: Path, seed: int, sums: bool) -> None:
    files = (store.DESCRIPTION, store.MEASUREMENTS)
    rows = [{"seed": seed, "kind": "a", "error": 0.1 * seed} for seed in range(5)]
    store.write(tmp_path, store.Record("T1", "quick", "completed", seeds=(0, 1), rows=5), store.frame(rows))
    if sums:
        write_sums(tmp_path, files)
    store.read(tmp_path)
    if not damage(tmp_path, files, seed):
        return
    try:
        store.read(tmp_path)
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 1500
    else:
        assert not sums
