from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Type

import pytest
import torch
from blob_model import (
    NEAR_FAR,
    RADIUS,
    BlobField,
    BlobFieldConfig,
    make_model,
    train_expression,
    train_rays,
)
from nerfacc import render_weight_from_density
from nerfstudio.engine.callbacks import TrainingCallbackAttributes, TrainingCallbackLocation
from torch.nn.functional import huber_loss

from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.model_components.occupancy import FaceOccupancyGridConfig
from nerface_ns.models import occ_face_model

KEEP_ALL = FaceOccupancyGridConfig(early_stop_eps=0.0, alpha_threshold=0.0)
"""Every interval in the box counts, so that a plain quadrature is the same thing."""


def batch_for(outputs, with_alpha: bool = True) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    batch = {"image": torch.rand(outputs["rgb"].shape, generator=generator)}
    return {**batch, "alpha": torch.rand(outputs["accumulation"].shape, generator=generator)} if with_alpha else batch


def dense_quadrature(model, rays):
    """Colour, opacity and depth from all intervals between near and far, with nerfacc's batched weights."""
    step, (near, far) = model.step_size, NEAR_FAR
    starts = near + torch.arange(int((far - near) / step) + 1) * step
    middles = (starts + step / 2).expand(len(rays), -1)
    positions = rays.origins[:, None] + middles[..., None] * rays.directions[:, None]
    low, high = model.scene_box.aabb
    inside = ((positions >= low) & (positions <= high)).all(dim=-1) & (middles < far)
    condition, rows = model.get_ray_conditions(rays)
    rows = rows.repeat_interleave(middles.shape[1])
    density, embedding = model.field.get_density(positions.reshape(-1, 3), rows, condition)
    colour = model.field.get_rgb(positions.reshape(-1, 3), rows, condition, embedding)
    sigmas = density.reshape(middles.shape) * inside
    weights, _, _ = render_weight_from_density(starts.expand_as(middles), starts.expand_as(middles) + step, sigmas)
    foreground = (weights[..., None] * colour.reshape(*middles.shape, 3)).sum(dim=1)
    accumulation = weights.sum(dim=1, keepdim=True)
    met = (weights * middles).sum(dim=1, keepdim=True) / accumulation.clamp(min=1e-9)
    depth = torch.where(accumulation < 0.01, torch.full_like(met, far), met)
    rgb = foreground + (1 - accumulation) * model.background(rays.metadata["pixel_position"])
    return {"rgb": rgb, "accumulation": accumulation, "depth": depth, "foreground": foreground}


def test_rendering_matches_a_plain_quadrature():
    """Values, and the gradient of the density and of the codes."""
    results = []
    for render in (dense_quadrature, lambda model, rays: model(rays)):
        model = make_model(radiance_field=BlobFieldConfig(density=8.0), occupancy=KEEP_ALL)
        outputs = render(model, train_rays([0, 3]))
        outputs["rgb"].square().sum().backward()
        names = ("rgb", "accumulation", "depth", "foreground")
        gradients = model.field.gain.grad, model.latent_codes.codes.grad
        results.append([*(outputs[name].detach() for name in names), *gradients])
    for expected, found in zip(*results):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_rendering_is_repeatable_and_training_jitters():
    model = make_model(radiance_field=BlobFieldConfig(density=8.0))
    with torch.no_grad():
        first, second = model(train_rays([0])), model(train_rays([0]))
        torch.testing.assert_close(first["depth"], second["depth"])
        model.train()
        assert (model(train_rays([0]))["depth"] - first["depth"]).abs().max() > 1e-5


def test_rays_that_meet_nothing_show_the_background():
    model = make_model(background=BackgroundConfig(mode="colour", colour=(0.2, 0.4, 0.6)))
    model.occupancy.forbid(torch.ones(model.occupancy.cells_per_lvl, dtype=torch.bool))
    model.train()
    outputs = model(train_rays([0, 1]))
    torch.testing.assert_close(outputs["rgb"], torch.tensor([[0.2, 0.4, 0.6]]).repeat(80, 1))
    assert not outputs["accumulation"].any() and not outputs["num_samples_per_ray"].any()
    loss = sum(model.get_loss_dict(outputs, batch_for(outputs)).values())
    loss.backward()


def test_sample_count_is_logged():
    model = make_model()
    outputs = model(train_rays([0, 1]))
    metrics = model.get_metrics_dict(outputs, batch_for(outputs))
    assert int(metrics["num_samples_per_batch"]) == int(outputs["num_samples_per_ray"].sum()) > 0


def make_warped_model(**settings):
    torch.manual_seed(0)
    return make_model(radiance_field=WarpedGridFieldConfig(), **settings).train()


def test_gradients_reach_every_trained_parameter():
    model = make_warped_model(background=BackgroundConfig(mode="learned"), distortion_weight=0.1, entropy_weight=0.1)
    outputs = model(train_rays([0, 2, 4]))
    sum(model.get_loss_dict(outputs, batch_for(outputs)).values()).backward()
    for name, parameter in model.named_parameters():
        if name != "device_indicator_param":
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name
    touched = model.latent_codes.codes.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [True, False, True, False, True, False]


@pytest.mark.parametrize("mode", ["learned", "colour"])
def test_every_trained_parameter_has_one_group(mode):
    model = make_warped_model(background=BackgroundConfig(mode=mode))
    groups = model.get_param_groups()
    grouped = [id(parameter) for group in groups.values() for parameter in group]
    trained = [id(p) for n, p in model.named_parameters() if p.requires_grad and n != "device_indicator_param"]
    assert sorted(grouped) == sorted(trained)
    assert set(groups) == {"networks", "grids", "latent_codes"} | ({"background"} if mode == "learned" else set())


def test_grids_are_the_groups_of_large_tables():
    groups = make_warped_model().get_param_groups()
    assert min(p.numel() for p in groups["grids"]) > 1000


def test_training_without_codes():
    model = make_warped_model(latent_codes=LatentCodesConfig(length=0))
    outputs = model(train_rays([0, 2]))
    losses = model.get_loss_dict(outputs, batch_for(outputs))
    sum(losses.values()).backward()
    assert losses["code_loss"] == 0


def test_losses_match_their_formulas():
    model = make_model(
        radiance_field=BlobFieldConfig(density=8.0),
        huber_delta=0.2,
        photometric_weight=3.0,
        matte_weight=0.5,
        entropy_weight=0.25,
        distortion_weight=1.5,
        code_weight=2.0,
    ).train()
    outputs = model(train_rays([1, 3]))
    batch = batch_for(outputs)
    losses = model.get_loss_dict(outputs, batch)
    p = outputs["accumulation"].clamp(1e-5, 1 - 1e-5)
    expected = {
        "rgb_loss": 3 * huber_loss(outputs["rgb"], batch["image"], delta=0.2) / 0.2,
        "matte_loss": 0.5 * (outputs["accumulation"] - batch["alpha"]).square().mean(),
        "entropy_loss": -0.25 * (p * p.log() + (1 - p) * (1 - p).log()).mean(),
        "code_loss": 2.0 * torch.tensor((8 * 0.2**2 + 8 * 0.4**2) / 2),
        "distortion_loss": 1.5 * outputs["distortion"],
    }
    assert set(losses) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


def test_losses_without_mattes_or_training():
    model = make_model()
    outputs = model(train_rays([1]))
    assert set(model.get_loss_dict(outputs, batch_for(outputs, with_alpha=False))) == {"rgb_loss", "entropy_loss"}


def test_random_colours_behind_both_change_nothing_for_a_perfect_head():
    """Truth composed from the render's own foreground and matte has no photometric loss before any colour."""
    settings = BackgroundConfig(mode="colour", colour=(1.0, 1.0, 1.0), random_in_training=True)
    model = make_model(radiance_field=BlobFieldConfig(density=8.0), background=settings).train()
    outputs = model(train_rays([1]))
    batch = {"image": outputs["rgb"].detach(), "alpha": outputs["accumulation"].detach()}
    losses = model.get_loss_dict(outputs, batch)
    torch.testing.assert_close(losses["rgb_loss"], torch.tensor(0.0), atol=1e-10, rtol=0)


def test_random_colours_need_mattes():
    model = make_model(background=BackgroundConfig(random_in_training=True)).train()
    outputs = model(train_rays([1]))
    with pytest.raises(ValueError, match=r"background.random_in_training: expected mattes in the data"):
        model.get_loss_dict(outputs, batch_for(outputs, with_alpha=False))


@dataclass
class WanderingBlobFieldConfig(BlobFieldConfig):
    """A ball whose place is its frame's expression."""

    _target: Type = field(default_factory=lambda: WanderingBlobField)


class WanderingBlobField(BlobField):
    """Solid within 0.05 of a third of the expression."""

    def get_density(self, positions, frame_rows, prepared):
        centre = prepared.expression[frame_rows] / 3
        return ((positions - centre).norm(dim=-1) < 0.05).float() * 1e4 * self.gain, positions


def test_refreshes_hold_the_union_over_the_expressions():
    """Six frames, whose solid parts hardly overlap, deal the cells among themselves."""
    torch.manual_seed(0)
    model = make_model(radiance_field=WanderingBlobFieldConfig(), occupancy=FaceOccupancyGridConfig(resolution=24))
    for step in range(20, 820, 20):
        model.occupancy.refresh(min(step, 400), model.step_size, model._density_of_any_expression)
    centres = model.occupancy.cell_centres()
    places = (train_expression() - train_expression().mean(dim=0)) / 3
    distance = torch.cdist(centres, places).amin(dim=1)
    occupied = model.occupancy.binaries.flatten()
    assert occupied[distance < 0.04].float().mean() > 0.99
    assert not occupied[distance > 0.1].any()


def test_carving_and_refreshing_happen_at_their_steps(monkeypatch):
    model, calls = make_model(occupancy=FaceOccupancyGridConfig(refresh_steps=50)), []
    empty = torch.zeros(model.occupancy.cells_per_lvl, dtype=torch.bool)
    monkeypatch.setattr(
        occ_face_model.CarvingConfig, "setup", lambda self: SimpleNamespace(find_empty=lambda *_: empty)
    )
    monkeypatch.setattr(model.occupancy, "forbid", lambda cells: calls.append("carve"))
    monkeypatch.setattr(model.occupancy, "refresh", lambda step, *_: calls.append(step))
    pipeline = SimpleNamespace(datamanager=SimpleNamespace(train_dataset=None))
    callbacks = model.get_training_callbacks(TrainingCallbackAttributes(None, None, pipeline, None))
    for step in range(251):
        for callback in callbacks:
            callback.run_callback_at_location(step, TrainingCallbackLocation.BEFORE_TRAIN_ITERATION)
    assert calls == ["carve", 20, 40, 50, 60, 80, 100, 120, 140, 150, 160, 180, 200, 250]


def test_a_few_steps_of_training_lower_the_loss():
    """The real field learns a grey picture."""
    model = make_warped_model(intervals_across_box=24)
    groups = model.get_param_groups()
    optimizer = torch.optim.Adam([{"params": group, "lr": 5e-3} for group in groups.values()])
    losses = []
    for step in range(8):
        outputs = model(train_rays([0, 3], rays_per_frame=30, seed=step % 2))
        batch = {"image": torch.full_like(outputs["rgb"], 0.2), "alpha": torch.ones_like(outputs["accumulation"])}
        loss = sum(model.get_loss_dict(outputs, batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]


def test_ball_fills_its_cells_only():
    """After refreshes, every occupied cell is within a cell's diagonal of two neighbours of the ball."""
    model = make_model(occupancy=FaceOccupancyGridConfig(resolution=32))
    for step in (20, 40):
        model.occupancy.refresh(step, model.step_size, model._density_of_any_expression)
    distance = model.occupancy.cell_centres().norm(dim=-1)
    cell = torch.tensor([0.4, 0.3, 0.4]).norm() / 32
    occupied = model.occupancy.binaries.flatten()
    assert occupied[distance < RADIUS].all()
    assert not occupied[distance > RADIUS + 2 * cell].any()
