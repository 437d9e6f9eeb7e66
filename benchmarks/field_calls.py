"""Records what a step or a picture of `nerface` asks its networks and grids, to ask the same again and count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

FLOAT_BYTES = 4


@dataclass
class FieldCall:
    """One question to a part of a field.

    Tensors are detached; those that had a gradient have one again.
    """

    asked: Any
    """The part's module, or the field."""
    function: Callable[..., Any]
    arguments: list[Any]
    parameters: list[nn.Parameter]
    """What the part has learned."""
    with_gradient: bool
    grid_features: Tensor | None = None
    """Of a deformation: what its own grid answered, which is another part's work."""

    def ask(self) -> None:
        """Ask again and, where gradients were asked for, pass one of ones back."""
        with torch.set_grad_enabled(self.with_gradient):
            answers = [answer for answer in self._answers() if answer.requires_grad]
            if self.with_gradient:
                torch.autograd.backward(answers, [torch.ones_like(answer) for answer in answers])

    @property
    def inputs(self) -> list[Tensor]:
        """What it is given in numbers, each once; of a deformation its grid's answer instead of the points.

        A rotation for each sample does not count: it is its frame's.
        """
        given = tensors_of(self.arguments if self.grid_features is None else [self.grid_features, self.arguments[2]])
        count = len(tensors_of(self.arguments)[0])
        different = {tensor.data_ptr(): tensor for tensor in given if tensor.is_floating_point()}
        return [tensor for tensor in different.values() if not (tensor.dim() == 3 and len(tensor) == count)]

    def network_bytes(self) -> int:
        """Return what has to be moved even if every layer's output stayed in the cache.

        Forward: inputs, answers, parameters. Backward: these again, the gradients of inputs and parameters written.
        """
        with torch.no_grad():
            answers = self._answers()
        learned = count_bytes(self.parameters)
        forward = count_bytes(self.inputs) + count_bytes(answers) + learned
        if not self.with_gradient:
            return forward
        return 2 * forward + learned + count_bytes(tensor for tensor in self.inputs if tensor.requires_grad)

    def _answers(self) -> list[Tensor]:
        if self.grid_features is None:
            return tensors_of(self.function(*self.arguments))
        with mock.patch.object(self.asked.grid, "forward", return_value=self.grid_features):
            return tensors_of(self.function(*self.arguments))


@dataclass
class FieldCalls:
    """All questions of a step or a picture."""

    networks: list[FieldCall] = field(default_factory=list)
    grids: list[FieldCall] = field(default_factory=list)


def tensors_of(nested: Any) -> list[Tensor]:
    """Return all tensors in tuples and lists."""
    if isinstance(nested, Tensor):
        return [nested]
    return [tensor for part in nested for tensor in tensors_of(part)] if isinstance(nested, (list, tuple)) else []


def count_bytes(tensors: Any) -> int:
    """Return the bytes of float32 tensors."""
    return sum(FLOAT_BYTES * tensor.numel() for tensor in tensors)


@contextmanager
def recorded_calls(radiance_field: Any) -> Iterator[FieldCalls]:
    """Record what a `WarpedGridField` is asked until the end."""
    calls, deformation = FieldCalls(), radiance_field.deformation
    # The basis is blended once per frame; what it becomes is among the arguments.
    layers = [*deformation.first.parameters(), *deformation.second.parameters()]
    colour_modules = (radiance_field.normal, radiance_field.colour_first, radiance_field.colour_rest)
    with ExitStack() as patches:

        def put(asked: Any, attribute: str, found: list[FieldCall], parameters: list[nn.Parameter]) -> None:
            """Record the calls of a function."""
            function = getattr(asked, attribute)

            def record(*arguments: Any) -> Any:
                """Ask, and remember the question."""
                call = FieldCall(asked, function, _detached(arguments), parameters, torch.is_grad_enabled())
                if asked is deformation:
                    with torch.no_grad():
                        features = type(asked.grid).forward(asked.grid, arguments[0])
                    call.grid_features = features.requires_grad_(call.with_gradient)
                found.append(call)
                return function(*arguments)

            patches.enter_context(mock.patch.object(asked, attribute, record))

        put(deformation, "forward", calls.networks, layers)
        put(radiance_field, "decode_density", calls.networks, list(radiance_field.density_net.parameters()))
        colour = [parameter for module in colour_modules for parameter in module.parameters()]
        put(radiance_field, "decode_colour", calls.networks, colour)
        for grid in (deformation.grid, radiance_field.grid):
            put(grid, "forward", calls.grids, [grid.table])
        yield calls


def _detached(nested: Any) -> Any:
    if isinstance(nested, Tensor):
        return nested.detach().requires_grad_(nested.requires_grad)
    if isinstance(nested, (list, tuple)):
        return [_detached(part) for part in nested]
    return nested


def count_flops(work: Callable[[], Any]) -> int:
    """Return the operations of matrix products in a call, a multiply-add counted as two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


class ProductCalls(TorchDispatchMode):
    """Records products of matrices, to make them again alone: layers without what lies between them."""

    PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Remember a product, then let it be made."""
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in self.PRODUCTS:
            self.calls.append((func, args, kwargs))
        return func(*args, **kwargs)

    def repeat(self) -> None:
        """Make all of them again."""
        for func, args, kwargs in self.calls:
            func(*args, **kwargs)


def recorded_products(work: Callable[[], Any]) -> ProductCalls:
    """Return the products of matrices that a call makes."""
    with ProductCalls() as products:
        work()
    return products


def grid_flops(num_points: int, num_levels: int, channels: int, with_gradient: bool, moves_points: bool) -> int:
    """Return the operations of trilinear lookups: a multiply-add for each corner and channel, and the corners' weights.

    Args:
        num_points, num_levels, channels: Sizes.
        with_gradient: Whether the table's gradient is made too, at the same price.
        moves_points: Whether that of the points is made, three times the price.
    """
    once = num_points * num_levels * (2 * 8 * channels + 12)
    return once * (1 + with_gradient * (1 + 3 * moves_points))


def grid_bytes(
    num_points: int, resolutions: tuple[int, ...], channels: int, with_gradient: bool, moves_points: bool
) -> int:
    """Return what lookups have to move even if every vertex that is asked for again stayed in the cache.

    Forward: points and the vertices they touch are read, features written. Backward: points and gradients of features
    are read, a whole table of gradients written; for gradients of points vertices are read again, and these written.
    """
    features = num_points * len(resolutions) * channels * FLOAT_BYTES
    points = num_points * 3 * FLOAT_BYTES
    vertices = [min(resolution**3, 8 * num_points) for resolution in resolutions]
    touched = sum(vertices) * channels * FLOAT_BYTES
    table = sum(resolution**3 for resolution in resolutions) * channels * FLOAT_BYTES
    total = points + touched + features
    if with_gradient:
        total += points + features + table + moves_points * (touched + points)
    return total


def adam_bytes(num_numbers: int) -> int:
    """Return what Adam has to move: number, gradient and two moments read, number and moments written."""
    return 7 * FLOAT_BYTES * num_numbers
