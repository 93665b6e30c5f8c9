"""What counts as a change to the process, and what does not."""

import os

import pytest
import torch

from lipbench.bench.config.process_state import ProcessState


@pytest.fixture
def optimizer_class(monkeypatch: pytest.MonkeyPatch) -> type[torch.optim.Rprop]:
    """A class of torch.optim whose step torch has not wrapped yet, whatever ran before; put back afterwards."""
    kind = torch.optim.Rprop
    step = kind.step
    monkeypatch.setattr(kind, "step", getattr(step, "__wrapped__", step) if getattr(step, "hooked", False) else step)
    return kind


def test_first_optimizer_of_a_class_changes_nothing(optimizer_class: type[torch.optim.Rprop]) -> None:
    before, step = ProcessState.now(), optimizer_class.step
    optimizer_class([torch.nn.Parameter(torch.zeros(1))])
    assert optimizer_class.step is not step, "torch no longer wraps it: this test and the exception can go"
    assert before.changes() == []


def test_replaced_step_is_a_change_and_is_put_back(
    optimizer_class: type[torch.optim.Rprop], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, step = ProcessState.now(), optimizer_class.step
    monkeypatch.setattr(optimizer_class, "step", lambda self: None)
    assert before.restore() == ["torch.optim.rprop.Rprop.step: replaced"]
    assert optimizer_class.step is step


def test_variables_that_scikit_learn_sets_are_nobodys_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMP_INIT_AT_FORK", raising=False)
    monkeypatch.delenv("MINE", raising=False)
    before = ProcessState.now(code=False)
    os.environ["KMP_INIT_AT_FORK"] = "FALSE"
    assert before.changes() == []
    os.environ["MINE"] = "1"
    assert before.restore() == ["environment variables: MINE"]
    assert "MINE" not in os.environ and os.environ["KMP_INIT_AT_FORK"] == "FALSE"


def test_replaced_method_that_a_class_has_from_its_base_is_a_change() -> None:
    before, square = ProcessState.now(), torch.Tensor.square
    torch.Tensor.square = lambda self: self
    assert before.restore() == ["torch.Tensor.square: replaced"]
    assert torch.Tensor.square is square and "square" not in vars(torch.Tensor)


def test_first_optimizer_of_a_class_that_has_its_step_from_another_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own(torch.optim.Rprop): ...

    monkeypatch.setattr(torch.optim, "Own", Own, raising=False)
    before = ProcessState.now()
    Own([torch.nn.Parameter(torch.zeros(1))])
    assert before.changes() == []
