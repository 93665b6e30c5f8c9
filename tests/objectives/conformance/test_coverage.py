"""Every check has a broken objective, and what the broken ones are made from is sound."""

import pytest

from lipbench.objectives import Objective
from lipbench.objectives.conformance import CHECKS, assert_conforms

from . import (
    test_basics,
    test_constraint,
    test_direction,
    test_gradients,
    test_machine,
    test_norms,
    test_penalty,
    test_repeatable,
    test_samples,
)
from .sound import Penalised, Plain

FILES = (
    *(test_basics, test_constraint, test_direction, test_gradients, test_machine),
    *(test_norms, test_penalty, test_repeatable, test_samples),
)


def test_conformance_each_check_has_a_broken_objective() -> None:
    broken = {check for module in FILES for check, _, _ in module.broken.cases}
    assert broken == {check.name for check in CHECKS}


@pytest.mark.parametrize("sound", [Plain, Penalised])
def test_conformance_passes_what_the_broken_ones_are_made_from(sound: type[Objective]) -> None:
    assert_conforms(sound)
