"""Registries: what they say of a name without importing what is behind it."""

import subprocess
import sys

import pytest

from lipbench.bench.studies.catalog import STUDIES
from lipbench.models.catalog import ARCHITECTURES
from lipbench.objectives.catalog import BUILTINS
from lipbench.objectives.loss_catalog import LOSSES


def test_registry_reads_what_an_import_would_show() -> None:
    assert [BUILTINS.about(name) for name in BUILTINS] == [first_line(cls) for cls in BUILTINS.values()]
    assert [ARCHITECTURES.about(name) for name in ARCHITECTURES] == [first_line(f) for f in ARCHITECTURES.values()]
    assert [BUILTINS.about(n, "reference") for n in BUILTINS] == [cls.reference for cls in BUILTINS.values()]


def test_registry_reads_an_argument_of_the_call_behind_a_constant() -> None:
    assert [STUDIES.about(name, "claim") for name in STUDIES] == [study.claim for study in STUDIES.values()]


def first_line(thing: object) -> str:
    return (thing.__doc__ or "").splitlines()[0]


def test_registry_reads_the_text_that_follows_a_constant() -> None:
    assert LOSSES.about("wasserstein") == "Critic: E[f(G(z))] − E[f(x)]. Generator: −E[f(G(z))]."


def test_registry_refuses_a_name_it_does_not_have() -> None:
    with pytest.raises(KeyError, match="hing"):
        LOSSES.about("hing")


def test_registry_imports_a_module_when_its_name_is_asked_for_and_not_before() -> None:
    code = (
        "import sys; from lipbench.objectives.catalog import BUILTINS as known\n"
        "known.about('r1'), known.about('r1', 'reference'), list(known), 'r1' in known, known.target('r1')\n"
        "print('torch' in sys.modules, known['r1'].name, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False r1 True\n"
