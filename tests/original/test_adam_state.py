import copy

import pytest
import torch
from released_code import CODE_LENGTH, IMAGE_SIZE, NUM_FRAMES, OCTAVES, RATE, ReleasedNetwork, assert_same

from nerface_ns.original.adam_state import join_adam, new_frame, split_adam, why_not_split
from nerface_ns.original.checkpoint_layout import checkpoint_layout
from nerface_ns.original.network_layout import read_sizes

SIZES = read_sizes("network", ReleasedNetwork().state_dict(), OCTAVES, CODE_LENGTH)
LAYOUT = checkpoint_layout(SIZES, SIZES, NUM_FRAMES, IMAGE_SIZE, True, False)
UNTRAINED = {"coarse_field.unused_colour", "fine_field.unused_colour", "background.image"}
TRAINED = {
    part.name
    for parameter in LAYOUT.optimised
    for part in parameter.parts
    if not any(part.name.startswith(name) for name in UNTRAINED)
}


@pytest.fixture
def adam(training):
    return training.checkpoint()["optimizer_state_dict"]


def test_moments_follow_their_parameters(training, adam):
    """A column that is flipped has a flipped mean and the same square; every part counts the same steps."""
    states = split_adam(adam, LAYOUT.optimised, TRAINED).states
    original = training.optimizer.state[training.fine.layers_xyz[0].weight]
    ours = states["fine_field.trunk.0.linear.weight"]
    torch.testing.assert_close(ours["exp_avg"][:, 0], -original["exp_avg"][:, 0])
    torch.testing.assert_close(ours["exp_avg"][:, 1], original["exp_avg"][:, 1])
    torch.testing.assert_close(ours["exp_avg_sq"][:, 0], original["exp_avg_sq"][:, 0])
    assert {int(state["step"]) for state in states.values()} == {3}
    assert states["latent_codes.codes"]["exp_avg"].shape == (NUM_FRAMES, CODE_LENGTH)


def test_only_trained_parameters_have_a_state(adam):
    assert set(split_adam(adam, LAYOUT.optimised, TRAINED).states) == TRAINED


def test_split_and_join_are_inverse_to_the_bit(adam):
    before = copy.deepcopy(adam)
    split = split_adam(adam, LAYOUT.optimised, TRAINED)
    assert_same(join_adam(split.states, LAYOUT.optimised, split.frame), before)
    assert_same(adam, before)


def test_new_frame_is_what_the_released_script_loads(training, adam):
    """Two groups, the background's alone; steps as whole numbers; nothing for parameters that were never asked."""
    split = split_adam(adam, LAYOUT.optimised, TRAINED)
    frame = new_frame(split.states, LAYOUT.optimised, split.rate, split.settings)
    joined = join_adam(split.states, LAYOUT.optimised, frame)
    assert_same(joined["state"], adam["state"])
    training.optimizer.load_state_dict(joined)
    assert [group["lr"] for group in training.optimizer.param_groups] == [split.rate] * 2
    assert split.rate == pytest.approx(RATE, rel=0.02)


def test_background_may_be_missing(adam):
    adam["param_groups"].pop()
    assert why_not_split(adam, LAYOUT.optimised) is None


def spoil(adam, how):
    first = adam["state"][0]
    if how == "keys":
        adam.pop("state")
    elif how == "count":
        adam["param_groups"][0]["params"].pop()
        adam["param_groups"][0]["params"].pop()
    elif how == "kind":
        first["max_exp_avg_sq"] = first["exp_avg_sq"]
    elif how == "shape":
        first["exp_avg"] = first["exp_avg"][1:]
    elif how == "settings":
        adam["param_groups"][1]["eps"] = 1e-3


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("keys", r"expected Adam's state and param_groups, got \['param_groups'\]"),
        ("count", r"expected Adam over 54 parameters, got 52"),
        ("kind", r"layers_xyz.0.weight: expected step, exp_avg and exp_avg_sq, got"),
        ("shape", r"layers_xyz.0.weight: exp_avg: expected shape \(16, 35\), got \(15, 35\)"),
        ("settings", r"expected one Adam's lr, betas, eps and weight_decay"),
    ],
)
def test_other_optimizers_are_told(adam, how, message):
    spoil(adam, how)
    fault = why_not_split(adam, LAYOUT.optimised)
    assert fault is not None
    with pytest.raises(ValueError, match=message):
        raise ValueError(fault)
