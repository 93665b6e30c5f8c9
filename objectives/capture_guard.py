"""What must stand still between the steps of a game: where tensors lie, and what Python keeps beside them.

A checkpoint holds no plain attribute, and an iteration that is captured or compiled sees the values and addresses of
its first time for ever.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from .base import Objective

PLAIN = (bool, int, float, str, type(None))


class CaptureGuard:
    """An objective and its critic as they are now; later, what has moved.

    Holds the tensors, so that nothing else comes to lie at their addresses.
    """

    def __init__(self, objective: Objective, critic: nn.Module) -> None:
        self.parts = {"objective": objective, "critic": critic}
        self.attributes = dict(self._attributes())
        self.tensors = {name: tensor.detach() for name, tensor in self._tensors()}

    def changed_attribute(self) -> str | None:
        """The first plain attribute (number, text, bool or None) that has another value now, with both; or None."""
        now = dict(self._attributes())
        for name, value in self.attributes.items():
            if name in now and repr(now[name]) != repr(value):  # as text, since NaN differs from itself
                return f"{name} changed from {value!r} to {now[name]!r}"
        return None

    def moved_tensor(self) -> str | None:
        """The name of the first parameter or buffer that lies elsewhere now, or None."""
        now = dict(self._tensors())
        for name, tensor in self.tensors.items():
            if name in now and now[name].data_ptr() != tensor.data_ptr():
                return name
        return None

    def _attributes(self) -> Iterator[tuple[str, object]]:
        for owner, part in self.parts.items():
            for name, module in part.named_modules(prefix=owner):
                for attribute, value in vars(module).items():
                    if isinstance(value, PLAIN):
                        yield f"{name}.{attribute}", value

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for owner, part in self.parts.items():
            yield from part.named_parameters(prefix=owner)
            yield from part.named_buffers(prefix=owner)
