"""The script of `lipbench completion`, as bash and zsh run it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from lipbench.bench.cli import main
from lipbench.bench.cli.commands import COMMANDS
from lipbench.bench.config.suite import suite_names
from lipbench.bench.data import DATASETS
from lipbench.bench.studies import STUDIES
from lipbench.objectives import BUILTINS

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on the PATH")
needs_zsh = pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh on the PATH")


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert not left.value.code
    return capsys.readouterr().out


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    path = tmp_path / "completion"
    path.write_text(_printed(capsys, "completion", "bash"), encoding="utf-8")
    return path


def _completed(script: Path, line: str) -> list[str]:
    """What bash offers at the end of a line; like its readline, we part words at "="."""
    words = [part for word in line.split(" ") for part in re.split("(=)", word) if part or not word]
    array, place = " ".join(map(shlex.quote, words)), len(words) - 1
    code = (
        f'. {shlex.quote(str(script))}; COMP_WORDS=({array}); COMP_CWORD={place}; _lipbench; echo "${{COMPREPLY[*]}}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@needs_bash
def test_completion_knows_every_command_and_the_options_of_its_help(
    capsys: pytest.CaptureFixture[str], script: Path
) -> None:
    assert set(_completed(script, "lipbench ")) == {*COMMANDS, "--help", "--version"}
    for command in COMMANDS:
        options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", _printed(capsys, command, "--help"), flags=re.MULTILINE)
        assert set(_completed(script, f"lipbench {command} -")) == set(options), command


@needs_bash
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lipbench re", ["report"]),
        ("lipbench run ", suite_names()),
        ("lipbench tune qui", ["quick"]),
        ("lipbench study S1", [name for name in STUDIES if name.startswith("S1")]),
        ("lipbench study T1 al", ["all"]),
        ("lipbench check wgan-", [name for name in BUILTINS if name.startswith("wgan-")]),
        ("lipbench check mlp --kind arch", ["architecture"]),
        ("lipbench list suite", ["suites", "suite-keys"]),
        ("lipbench completion ", ["bash", "zsh"]),
        ("lipbench run quick --dry", ["--dry-run"]),
        ("lipbench run --add quick --executor ", ["local", "ray", "slurm"]),
        ("lipbench run quick --executor=s", ["slurm"]),
        ("lipbench run quick --executor=", ["local", "ray", "slurm"]),
        ("lipbench run quick --out ", []),
        ("lipbench run quick --jobs 2 --set ste", ["steps="]),
        ("lipbench run quick --set steps=", []),
        ("lipbench run quick --set steps=3 evaluation.cou", ["evaluation.count="]),
        ("lipbench run quick --set steps=3 datasets=8", [name for name in DATASETS if name.startswith("8")]),
        ("lipbench study S1 --set ste", []),
        ("lipbench run --add qui", ["quick"]),
        ("lipbench nonsense ", []),
    ],
)
def test_completion_offers_what_may_stand_there(script: Path, line: str, offered: list[str]) -> None:
    assert sorted(_completed(script, line)) == sorted(offered)


@needs_bash
def test_completion_is_registered_and_leaves_the_rest_to_file_names(script: Path) -> None:
    code = f". {shlex.quote(str(script))}; complete -p lipbench"
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "complete -o default -F _lipbench lipbench\n"


@needs_zsh
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lipbench qui", []),
        ("lipbench run qui", ["quick"]),
        ("lipbench run quick --set steps=3 objectives=sn", ["objectives=sn-gan"]),
    ],
)
def test_completion_runs_in_zsh(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, offered: list[str]
) -> None:
    path = tmp_path / "completion"
    path.write_text(_printed(capsys, "completion", "zsh"), encoding="utf-8")
    place = words.count(" ")
    code = (
        f"cd {shlex.quote(str(tmp_path))}; HOME=$PWD; . ./completion; setopt ksharrays; COMP_WORDS=({words}); "
        f'COMP_CWORD={place}; _lipbench; print -r -- "${{COMPREPLY[*]}}"'
    )
    done = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True, check=True)
    fit = [word for word in done.stdout.split() if word.startswith(words.rpartition(" ")[2])]  # zsh itself sifts them
    assert fit == offered
