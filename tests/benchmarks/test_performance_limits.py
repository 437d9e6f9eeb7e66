import importlib
from pathlib import Path

import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def field_calls(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("field_calls")


@pytest.fixture
def limits(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("limits")


def make_call(field_calls, layers: nn.Module, inputs: torch.Tensor, with_gradient: bool):
    return field_calls.FieldCall(layers, layers.forward, [inputs], list(layers.parameters()), with_gradient)


def small_field():
    """A `WarpedGridField` of 5 coefficients with small grids."""
    from nerfstudio.data.scene_box import SceneBox

    from nerface_ns.field_components.deformation import BilinearDeformationConfig
    from nerface_ns.field_components.feature_grid import FeatureGridConfig
    from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig

    config = WarpedGridFieldConfig(
        canonical_grid=FeatureGridConfig(resolutions=(4, 8)),
        deformation=BilinearDeformationConfig(grid=FeatureGridConfig(resolutions=(4,))),
    )
    box = SceneBox(aabb=torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
    return config.setup(scene_box=box, num_coefficients=5, code_length=2)


def ask_field(radiance_field, count: int) -> None:
    """Ask for densities without gradients, then for densities and colours with them."""
    from nerface_ns.conditioning.face_condition import FaceCondition

    condition = FaceCondition(torch.rand(1, 5), torch.rand(1, 2), torch.rand(1, 6), torch.eye(3)[None])
    prepared = radiance_field.prepare(condition)
    points, rows = torch.rand(count, 3) * 2 - 1, torch.zeros(count, dtype=torch.long)
    with torch.no_grad():
        radiance_field.get_density(points, rows, prepared)
    densities, embedding = radiance_field.get_density(points, rows, prepared)
    colours = radiance_field.get_rgb(points, rows, prepared, embedding)
    (densities.sum() + colours.sum()).backward()


@pytest.mark.parametrize("with_gradient", [False, True])
def test_operations_of_a_perceptron(field_calls, with_gradient):
    """2 n (in out) for each layer forward, as much again for each gradient of weights and of inputs."""
    layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    inputs = torch.rand(10, 6, requires_grad=True)
    call = make_call(field_calls, layers, inputs, with_gradient)
    forward = 2 * 10 * (6 * 16 + 16 * 4)
    assert field_calls.count_flops(call.ask) == (3 if with_gradient else 1) * forward


def test_products_made_again_are_all_and_only_the_networks_own(field_calls):
    """The same operations again, forward and backward, though nothing lies between the layers."""
    layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    call = make_call(field_calls, layers, torch.rand(10, 6, requires_grad=True), True)
    products = field_calls.recorded_products(call.ask)
    assert field_calls.count_flops(call.ask) == 3 * 2 * 10 * (6 * 16 + 16 * 4)
    with torch.no_grad():
        assert field_calls.count_flops(products.repeat) == field_calls.count_flops(call.ask)
    assert len(products.calls) == 6


def test_bytes_of_a_layer(field_calls):
    """Forward 60 in, 40 out and 28 parameters; with gradients twice that, and those of inputs and parameters."""
    layer, inputs = nn.Linear(6, 4), torch.rand(10, 6, requires_grad=True)
    forward = 4 * (60 + 40 + 28)
    assert make_call(field_calls, layer, inputs, False).network_bytes() == forward
    assert make_call(field_calls, layer, inputs, True).network_bytes() == 2 * forward + 4 * (28 + 60)
    without = make_call(field_calls, layer, inputs.detach(), True)
    assert without.network_bytes() == 2 * forward + 4 * 28


def test_bytes_of_a_grid(field_calls):
    """100 points touch all 64 vertices of a small level and at most 800 of a large one, of two channels each."""
    touched = 4 * 2 * (64 + 800)
    forward = 100 * 12 + touched + 100 * 2 * 2 * 4
    assert field_calls.grid_bytes(100, (4, 16), 2, False, False) == forward
    table = 4 * 2 * (64 + 4096)
    backward = 100 * 12 + 100 * 2 * 2 * 4 + table
    assert field_calls.grid_bytes(100, (4, 16), 2, True, False) == forward + backward
    assert field_calls.grid_bytes(100, (4, 16), 2, True, True) == forward + backward + touched + 100 * 12


def test_operations_of_a_grid(field_calls):
    """Eight corners of two channels are 16 multiply-adds, besides 12 for the weights."""
    assert field_calls.grid_flops(10, 3, 2, False, False) == 10 * 3 * 44
    assert field_calls.grid_flops(10, 3, 2, True, True) == 5 * 10 * 3 * 44


def test_floor_is_the_greater_time(limits):
    """8 operations at 4 a second against 10 bytes at 10 a second, and the other way round."""
    row = limits.Work(8, 10).row(6.0, 4.0, 10.0)
    assert (row["floor_ms"], row["bound_by"], row["measured_over_floor"]) == (2000.0, "matmul", 3.0)
    assert limits.Work(8, 40).row(6.0, 4.0, 10.0)["bound_by"] == "copy"
    assert limits.Work(8, 40).floor_s(4.0, 10.0) == 4.0
    assert limits.Work(1, 2) + limits.Work(10, 20) == limits.Work(11, 22)


def test_recorded_calls_cost_what_the_field_costs(field_calls):
    """Networks asked again need the operations that the field needed, but those of blending frames' deformations."""
    torch.manual_seed(0)
    radiance_field = small_field()
    with field_calls.recorded_calls(radiance_field) as calls:
        whole = field_calls.count_flops(lambda: ask_field(radiance_field, 50))
    again = field_calls.count_flops(lambda: [call.ask() for call in calls.networks])
    blending = 2 * 12 * 32 * 7
    told = 2 * 2 * 64  # the frame's code in the colour network
    frames = whole - again
    assert 0 <= frames <= 3 * blending + 3 * told
    assert [len(call.arguments[0]) for call in calls.grids] == [50] * 4
    assert [call.with_gradient for call in calls.grids] == [False, False, True, True]
    assert len(calls.networks) == 5


def test_recorded_calls_leave_the_field_as_it_was(field_calls):
    radiance_field = small_field()
    with field_calls.recorded_calls(radiance_field):
        ask_field(radiance_field, 5)
    assert not any("forward" in vars(module) for module in radiance_field.modules())
    assert "decode_density" not in vars(radiance_field)


def test_work_of_a_recorded_step(limits, field_calls):
    """Grids of 3 levels and 4 channels: without gradients, with the table's, and with the points' too."""
    radiance_field = small_field()
    with field_calls.recorded_calls(radiance_field) as calls:
        ask_field(radiance_field, 20)
    once = 20 * (2 * 8 * 4 + 12)
    assert limits.grid_work(calls.grids).flops == 3 * once + 2 * once + 5 * 2 * once


def test_peaks_count_operations_and_bytes(monkeypatch):
    """A multiply-add is two operations, and a copy reads and writes each float's four bytes."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    machine_peaks = importlib.import_module("machine_peaks")
    monkeypatch.setattr(machine_peaks, "fastest", lambda work: 0.5)
    assert machine_peaks.matmul_peak("cpu", (16, 32)) == 2 * 32**3 / 0.5
    assert machine_peaks.copy_bandwidth("cpu", 1000) == 2 * 4 * 1000 / 0.5
