from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from blob_model import BlobFieldConfig, make_metadata, pixel_rays
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.engine.callbacks import TrainingCallbackAttributes

from nerface_ns.model_components.patch_similarity import structural_difference
from nerface_ns.model_components.staged_losses import StagedLossesConfig
from nerface_ns.models.basis_occupancy import density_over_bases
from nerface_ns.models.blendshape_face_model import BlendshapeFaceModel, BlendshapeFaceModelConfig

SIZE = 8


def make_model(**settings) -> BlendshapeFaceModel:
    stages = {"table_weight": 0.0, **settings.pop("stages", {})}
    config = BlendshapeFaceModelConfig(
        radiance_field=BlobFieldConfig(),
        staged_losses=StagedLossesConfig(**stages),
        entropy_weight=0.0,
        distortion_weight=0.0,
        **settings,
    )
    box = SceneBox(aabb=torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]]))
    metadata = make_metadata()
    return config.setup(scene_box=box, num_train_data=len(metadata["train_expression"]), metadata=metadata)


def step_of(model: BlendshapeFaceModel, with_patch: bool = True):
    """Rays of a whole patch and of 20 single pixels of one frame, rendered, with a truth."""
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(2, 2 + SIZE), torch.arange(4, 4 + SIZE), indexing="ij")
    patch = torch.stack([rows.flatten(), columns.flatten()], dim=-1)
    pixels = torch.cat([patch, torch.randint(12, (20, 2))])
    rays = pixel_rays(torch.cat([torch.zeros(len(pixels), 1, dtype=torch.long), pixels], dim=-1))
    batch = {"image": torch.rand(len(pixels), 3), "alpha": torch.rand(len(pixels), 1)}
    if with_patch:
        batch["patch_rows"] = torch.arange(SIZE**2).reshape(1, SIZE, SIZE)
    return model(rays), batch


def follow(model: BlendshapeFaceModel, step: int) -> None:
    """Run what the trainer runs before a step."""
    pipeline = SimpleNamespace(datamanager=SimpleNamespace(train_dataset=None))
    callbacks = model.get_training_callbacks(TrainingCallbackAttributes(None, None, pipeline, None))
    callbacks[-1].run_callback(step)


def test_colours_are_absolute_differences():
    model = make_model().train()
    outputs, batch = step_of(model, with_patch=False)
    losses = model.get_loss_dict(outputs, batch)
    torch.testing.assert_close(losses["rgb_loss"], (outputs["rgb"] - batch["image"]).abs().mean())


def test_delta_gives_the_other_models_loss():
    """Huber's, by the same formula as `OccFaceModel`."""
    model = make_model(huber_delta=0.1).train()
    outputs, batch = step_of(model, with_patch=False)
    expected = torch.nn.functional.huber_loss(outputs["rgb"], batch["image"], delta=0.1) / 0.1
    torch.testing.assert_close(model.get_loss_dict(outputs, batch)["rgb_loss"], expected)


def test_patches_are_compared_where_the_batch_has_them():
    model = make_model().train()
    outputs, batch = step_of(model)
    losses = model.get_loss_dict(outputs, batch)
    error = (outputs["rgb"] - batch["image"]).abs()
    torch.testing.assert_close(losses["rgb_loss"], 0.5 * error[SIZE**2 :].mean() + 0.05 * error[: SIZE**2].mean())
    render, truth = (c[: SIZE**2].reshape(1, SIZE, SIZE, 3) for c in (outputs["rgb"], batch["image"]))
    torch.testing.assert_close(losses["perceptual_loss"], 0.05 * structural_difference(render, truth))
    del batch["patch_rows"]
    assert "perceptual_loss" not in model.get_loss_dict(outputs, batch)


def test_mask_pulls_until_its_step():
    model = make_model(stages={"mask_until_step": 3, "mask_weight": 0.5}).train()
    outputs, batch = step_of(model)
    follow(model, 2)
    expected = 0.5 * (outputs["accumulation"] - batch["alpha"]).abs().mean()
    torch.testing.assert_close(model.get_loss_dict(outputs, batch)["mask_loss"], expected)
    follow(model, 3)
    assert "mask_loss" not in model.get_loss_dict(outputs, batch)


def test_data_without_mattes_have_no_mask_loss():
    model = make_model().train()
    outputs, batch = step_of(model)
    del batch["alpha"]
    assert "mask_loss" not in model.get_loss_dict(outputs, batch)


def test_tables_are_pulled_in_training_only(monkeypatch):
    monkeypatch.setattr("blob_model.BlobField.table_penalty", lambda self: 3 * self.gain, raising=False)
    model = make_model(stages={"table_weight": 0.25}).train()
    outputs, batch = step_of(model)
    torch.testing.assert_close(model.get_loss_dict(outputs, batch)["table_loss"], torch.tensor(0.75))
    assert "table_loss" not in model.eval().get_loss_dict(outputs, batch)


def test_table_loss_needs_tables():
    with pytest.raises(ValueError, match=r"table_weight: expected 0 for BlobField, which has no tables, got 1\.0"):
        make_model(stages={"table_weight": 1.0})


def test_negative_delta():
    with pytest.raises(ValueError, match=r"huber_delta: expected at least 0, got -1"):
        make_model(huber_delta=-1.0)


def test_lpips_without_weights_stops_the_training_but_not_the_viewer(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = make_model(stages={"perceptual": "lpips"})
    with pytest.raises(FileNotFoundError, match=r"staged_losses\.perceptual lpips"):
        follow(model, 0)


def test_losses_leave_the_checkpoint_alone():
    names = set(make_model().state_dict())
    model = make_model().train()
    model.get_loss_dict(*step_of(model))
    assert set(model.state_dict()) == names


def test_occupancy_over_the_bases():
    model = make_model(occupancy_over="bases")
    positions = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 0.4 - 0.2
    found = model._density_of_any_expression(positions)
    torch.testing.assert_close(found, density_over_bases(model, positions))
    assert 0 < (found > 0).sum() < 50
