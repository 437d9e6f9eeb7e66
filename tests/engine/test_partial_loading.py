from pathlib import Path

import pytest
import torch
from toy_pipeline import NUM_FRAMES, ToyPipeline, checkpoint_of

from nerface_ns.engine.group_choice import GroupChoice
from nerface_ns.engine.partial_loading import PartialCheckpoint, compare

SOURCE = Path("run/step-000000007.ckpt")


def partial(load_only=None, load_ignore=None, stored=None, own=None) -> PartialCheckpoint:
    """Lay a checkpoint of other numbers beside a pipeline."""
    own = own or ToyPipeline(seed=1)
    state = stored if isinstance(stored, dict) else checkpoint_of(stored or ToyPipeline(seed=2))
    return compare(SOURCE, state, own, own.get_param_groups(), GroupChoice.parse(load_only, load_ignore))


def names(found: PartialCheckpoint, outcome: str) -> set[str]:
    return {tensor.name.removeprefix("_model.") for tensor in found.tensors if tensor.outcome == outcome}


def test_only_some_groups_are_taken_with_their_buffers():
    found = partial("cameras,latent_codes")
    assert names(found, "taken") == {"latent_codes.codes", "camera_optimizer.poses", "camera_optimizer.tracked"}
    assert found.groups == ("cameras", "latent_codes") and not found.is_whole
    stored = ToyPipeline(seed=2).state_dict()
    for name, value in found.taken.items():
        torch.testing.assert_close(value, stored[name])


def test_all_but_some_groups():
    """The field's box and the occupancy go with networks and grids; ranges stay those of the data."""
    found = partial(None, "cameras,latent_codes")
    expected = {"net.weight", "net.bias", "grid.table", "grid.offsets", "unused.weight", "unused.bias", "aabb"}
    assert names(found, "taken") == {f"field.{name}" for name in expected} | {"occupancy.occs"}
    assert "expression_encoding.mean" in names(found, "skipped")


def test_half_a_field_comes_without_occupancy():
    found = partial("grids")
    assert names(found, "taken") == {"field.grid.table", "field.grid.offsets"}


def test_all_groups_are_the_whole_checkpoint():
    assert partial("networks,grids,latent_codes,cameras").is_whole


def test_tensors_that_the_checkpoint_lacks():
    """A model with cameras starts from a run without; the group's training starts fresh."""
    found = partial(None, "latent_codes", stored=ToyPipeline(with_cameras=False, seed=2))
    assert names(found, "missing") == {"camera_optimizer.poses", "camera_optimizer.tracked"}
    assert found.groups == ("grids", "networks")


def test_tensors_that_the_model_lacks():
    found = partial(None, "cameras", own=ToyPipeline(with_cameras=False, seed=1))
    left = [tensor for tensor in found.tensors if tensor.groups is None]
    assert {tensor.name for tensor in left} == {"_model.camera_optimizer.poses", "_model.camera_optimizer.tracked"}
    assert not found.is_whole and found.groups == ("grids", "latent_codes", "networks")


def test_names_of_training_on_several_gpus():
    """`DistributedDataParallel` puts "module." before the model's names."""
    state = checkpoint_of(ToyPipeline(seed=2))
    state["pipeline"] = {name.replace("_model.", "_model.module."): value for name, value in state["pipeline"].items()}
    assert names(partial("cameras", stored=state), "taken") == {"camera_optimizer.poses", "camera_optimizer.tracked"}


def test_other_number_of_frames():
    """The message names the file, both numbers and both sizes, and the way out."""
    found = partial("latent_codes", stored=ToyPipeline(num_frames=9, seed=2))
    message = (
        f"{SOURCE}: latent_codes: expected 4 training frames as in the data, got 9 "
        r"\(_model.latent_codes.codes is 9 x 2 there, 4 x 2 here\); --load-ignore latent_codes would leave it out"
    )
    with pytest.raises(ValueError, match=message):
        found.check(NUM_FRAMES)


def test_other_number_of_frames_of_what_is_not_asked_for():
    partial("networks,grids", stored=ToyPipeline(num_frames=9, seed=2)).check(NUM_FRAMES)


def test_other_size_of_a_network():
    stored = checkpoint_of(ToyPipeline(seed=2))
    stored["pipeline"]["_model.field.net.weight"] = torch.zeros(7, 2)
    found = partial("networks", stored=stored)
    with pytest.raises(ValueError, match=r"networks: expected _model.field.net.weight of size 3 x 2, got 7 x 2; --l"):
        found.check(NUM_FRAMES)
    assert found.groups == ()
