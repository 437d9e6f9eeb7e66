"""Outline and surface losses against closed forms, on a ball of soft density."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from nerfstudio.cameras.rays import RayBundle

from nerface_ns.model_components.loss_weights import LossWeights
from nerface_ns.model_components.losses import depth_roughness, silhouette_loss
from nerface_ns.model_components.surface_losses import SurfaceLosses, SurfaceLossesConfig, surface_normals

RADIUS, BOX = 0.3, 2.0


class SoftBall:
    """Density falls smoothly with the distance from the middle; every second frame's ball stands aside."""

    def __init__(self, steepness: float = 40.0) -> None:
        self.steepness = torch.tensor(steepness, requires_grad=True)

    def get_density(self, positions, frame_rows, prepared):
        middle = torch.stack([0.1 * (frame_rows % 2), *[torch.zeros(len(frame_rows))] * 2], dim=-1)
        distance = (positions - middle).norm(dim=-1)
        return 100 * torch.sigmoid(self.steepness * (RADIUS - distance)), None


def losses_of(**settings):
    config = SurfaceLossesConfig(**settings)
    return SurfaceLosses(config, LossWeights(config), BOX)


def rays_to(points):
    count = len(points)
    directions = torch.nn.functional.normalize(-points, dim=-1)
    return RayBundle(points - directions, directions, torch.ones(count, 1))


def test_normals_point_out_of_a_ball():
    torch.manual_seed(0)
    away = torch.nn.functional.normalize(torch.randn(50, 3), dim=-1)
    rows = torch.arange(50) % 2
    points = RADIUS * away + 0.1 * torch.stack([rows.float(), torch.zeros(50), torch.zeros(50)], dim=-1)
    normals = surface_normals(SoftBall(), None, points, rows, 0.001)
    torch.testing.assert_close(normals, away, atol=0.01, rtol=0)


def test_roughness_of_a_ball():
    """Neighbours a step apart in random directions: two thirds of the squared angle, which is step over radius."""
    torch.manual_seed(1)
    points = RADIUS * torch.nn.functional.normalize(torch.randn(4000, 3), dim=-1)
    losses = losses_of(normals_weight=1.0, num_normals=4000, normals_reach=0.005)
    outputs = {"depth": torch.ones(4000, 1), "accumulation": torch.ones(4000, 1)}
    ball = SoftBall()
    rough = losses.terms(ball, None, rays_to(points), torch.zeros(4000, dtype=torch.long), outputs)["normal_roughness"]
    assert float(rough) == pytest.approx(2 / 3 * (0.005 * BOX / RADIUS) ** 2, rel=0.1)
    rough.backward()
    assert torch.isfinite(ball.steepness.grad)


def test_rays_that_meet_nothing_have_no_normals():
    losses = losses_of(normals_weight=1.0)
    outputs = {"depth": torch.ones(5, 1), "accumulation": torch.full((5, 1), 0.4)}
    terms = losses.terms(SoftBall(), None, rays_to(torch.rand(5, 3)), torch.zeros(5, dtype=torch.long), outputs)
    assert float(terms["normal_roughness"]) == 0


def test_silhouette_is_one_less_intersection_over_union():
    """Of crisp silhouettes the sets' own, in whatever part of the rays they are."""
    rendered = torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0])[:, None]
    recorded = torch.tensor([0.0, 1, 1, 1, 0, 0, 0, 0])[:, None]
    assert float(silhouette_loss(rendered, recorded)) == pytest.approx(1 - 2 / 4)
    assert float(silhouette_loss(rendered, rendered)) == 0
    soft = torch.full((4, 1), 0.5)
    assert float(silhouette_loss(soft, soft)) == pytest.approx(1 - 0.25 / 0.75)


def test_depth_of_a_plane_is_smooth_and_a_fold_is_not():
    """A fold of slope 1 bends by 1 at one of the four middle columns of six, and not along the other axis."""
    columns = torch.arange(6.0).expand(1, 6, 6)
    opaque, grey = torch.ones(1, 6, 6), torch.full((1, 6, 6, 3), 0.5)
    assert float(depth_roughness(2 * columns, opaque, grey)) == 0
    fold = (columns - 2).clamp(min=0)
    assert float(depth_roughness(fold, opaque, grey)) == pytest.approx(0.5 * (0 + 1 / 4))
    # An edge of the picture where the fold is lets it pass; three clear columns hide it.
    edge = grey.clone()
    edge[:, :, 2] = 1.0
    assert float(depth_roughness(fold, opaque, edge)) == pytest.approx(0.5 / 4 * math.exp(-10), rel=1e-4)
    clear = opaque.clone()
    clear[:, :, 3] = 0
    assert float(depth_roughness(fold, clear, grey)) == 0


def test_terms_are_weighed():
    config = {"silhouette_weight": 0.5, "normals_weight": 2.0, "depth_weight": 3.0}
    outputs = {
        "accumulation": torch.rand(9, 1),
        "depth": torch.rand(9, 1),
        "normal_roughness": torch.tensor(0.25),
    }
    batch = {"alpha": torch.rand(9, 1), "image": torch.rand(9, 3), "patch_rows": torch.arange(9).reshape(1, 3, 3)}
    found = losses_of(**config).losses(outputs, batch)
    rows = batch["patch_rows"]
    rough = depth_roughness(
        outputs["depth"][:, 0][rows] / BOX, outputs["accumulation"][:, 0][rows], batch["image"][rows]
    )
    expected = {
        "silhouette_loss": 0.5 * silhouette_loss(outputs["accumulation"], batch["alpha"]),
        "normals_loss": torch.tensor(0.5),
        "depth_loss": 3.0 * rough,
    }
    torch.testing.assert_close(found, expected)
    del outputs["normal_roughness"]
    assert losses_of(**config).losses(outputs, {"image": batch["image"]}) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"silhouette_weight": -1.0}, "surface_losses.silhouette_weight: expected at least 0, got -1.0"),
        ({"num_normals": 0}, "expected num_normals of at least 1"),
        ({"normals_reach": 0.0}, "normals_reach above 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        losses_of(**settings)


def test_settings_of_before_there_were_any():
    weights = LossWeights(SurfaceLossesConfig())
    assert SurfaceLosses.of(SimpleNamespace(), weights, BOX).config == SurfaceLossesConfig()
