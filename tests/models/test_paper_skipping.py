"""Skipping samples leaves whole images as they are, and asks the networks less."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Type

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.scene_box import OrientedBox, SceneBox
from nerfstudio.model_components import renderers
from torch import Tensor

from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig
from nerface_ns.models import paper_skipping
from nerface_ns.models.paper_face_model import PaperFaceModel, PaperFaceModelConfig

SIZE, NEAR, FAR, RADIUS = 80, 0.2, 0.8, 0.12

FINE_GRID = {"eval_skipping": "occupied", "skipping_block_px": 5}
"""Blocks that are as large beside the ball as the default's are beside a head in an image of 128 pixels."""


@dataclass
class BallFieldConfig(FaceFieldConfig):
    """A ball that gets denser inward."""

    _target: Type = field(default_factory=lambda: BallField)
    density: float = 4000.0


class BallField(FaceField):
    """Its colour changes over space; it counts what it is asked."""

    config: BallFieldConfig

    def __init__(self, config, scene_box, num_coefficients, code_length) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.num_densities = self.num_colours = 0

    def get_density(self, positions: Tensor, frame_rows: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        self.num_densities += len(positions)
        return torch.relu(RADIUS - positions.norm(dim=-1)) * self.config.density * self.gain, positions

    def get_rgb(self, directions: Tensor, frame_rows: Tensor, prepared: Any, embedding: Tensor) -> Tensor:
        self.num_colours += len(embedding)
        return 0.5 + 0.5 * torch.sin(embedding * 40)


def ball_model(density: float = 4000.0, **settings: Any) -> PaperFaceModel:
    metadata = {
        "expression_names": ("a", "b"),
        "near_far": (NEAR, FAR),
        "image_size": (SIZE, SIZE),
        "train_expression": torch.rand(3, 2),
        "train_times": torch.linspace(0, 1, 3)[:, None],
        "train_camera_to_world": torch.eye(4)[:3].repeat(3, 1, 1),
    }
    ball = BallFieldConfig(density=density)
    config = PaperFaceModelConfig(coarse_field=ball, fine_field=ball, **{**FINE_GRID, **settings})
    box = SceneBox(torch.tensor([[-0.15] * 3, [0.15] * 3]))
    model = config.setup(scene_box=box, num_train_data=3, metadata=metadata)
    torch.manual_seed(0)
    model.background.image.data.uniform_()
    return model.eval()


def a_camera() -> Cameras:
    pose = torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5]]])
    half = SIZE / 2
    return Cameras(pose, fx=SIZE * 1.5, fy=SIZE * 1.5, cx=half, cy=half, width=SIZE, height=SIZE)


def render(model: PaperFaceModel, mode: str, **arguments: Any) -> dict[str, Tensor]:
    model.eval_skipping = mode
    torch.manual_seed(3)
    return model.get_outputs_for_camera(a_camera(), **arguments)


def psnr(found: Tensor, expected: Tensor) -> float:
    return -10 * math.log10(float(((found - expected) ** 2).mean()))


def count_asked(model: PaperFaceModel) -> tuple[int, int]:
    counts = model.coarse_field.num_densities + model.fine_field.num_densities, model.fine_field.num_colours
    for ball in (model.coarse_field, model.fine_field):
        ball.num_densities = ball.num_colours = 0
    return counts


@pytest.mark.parametrize("density", [60.0, 4000.0, 1e6])
def test_images_stay_the_same_at_a_fraction_of_the_samples(density):
    """A fog, a soft and a hard ball that fill an eighth to a quarter of the image."""
    model = ball_model(density)
    whole = render(model, "none")
    all_densities, all_colours = count_asked(model)
    fast = render(model, "occupied")
    densities, colours = count_asked(model)
    assert psnr(fast["rgb"], whole["rgb"]) > 44
    assert psnr(fast["accumulation"], whole["accumulation"]) > 40
    assert psnr(fast["foreground"], whole["foreground"]) > 44
    assert densities < all_densities / 4
    assert colours < all_colours / 5


def test_rays_that_meet_nothing_ask_nothing():
    model = ball_model()
    fast = render(model, "occupied")
    corner = {name: image[0, 0] for name, image in fast.items()}
    assert corner["num_samples_per_ray"] == 0 and corner["accumulation"] == 0
    torch.testing.assert_close(corner["rgb"], corner["background"])
    assert fast["num_samples_per_ray"][SIZE // 2, SIZE // 2] > 0


@pytest.fixture
def every_wanted_sample(monkeypatch):
    """Leave none out between others, and colour all."""
    monkeypatch.setattr(paper_skipping, "STRIDES", (1,))
    monkeypatch.setattr(paper_skipping, "LEAST_RELATIVE_WEIGHT", 0.0)


@pytest.mark.usefixtures("every_wanted_sample")
@pytest.mark.parametrize("jitter", [False, True])
def test_nothing_to_skip_is_the_whole_computation(jitter):
    """With a margin that fills the depth and neither light nor weight left out, the same numbers come out."""
    settings = {"skipping_margin": 70, "skipping_lost_weight": 0.0, "skipping_least_light": 1e-30}
    model = ball_model(jitter_in_evaluation=jitter, **settings)
    whole, fast = render(model, "none"), render(model, "occupied")
    assert (fast.pop("num_samples_per_ray") < whole.pop("num_samples_per_ray")).all()
    # Rays that meet nothing end at the far plane, whole ones where chance puts their last sample.
    met = whole["accumulation"] > 0
    torch.testing.assert_close(fast.pop("depth")[met], whole.pop("depth")[met], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fast, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("every_wanted_sample")
def test_what_lies_behind_a_surface_is_not_asked():
    """Against a ball that lets light pass, the hard one ends its rays."""
    counts = []
    for density in (60.0, 1e6):
        fast = render(ball_model(density), "occupied")
        counts.append(float(fast["num_samples_per_ray"][SIZE // 2, SIZE // 2]))
    assert counts[1] < 0.7 * counts[0]


def test_as_many_samples_are_left_out_as_the_error_allows():
    strides = []
    for error in (3e-4, 1e-3, 1.0):
        model = ball_model(60.0, skipping_colour_error=error)
        error_found = (render(model, "occupied")["rgb"] - render(model, "none")["rgb"]).square().mean().sqrt()
        assert error_found < 2 * error
        render(model, "occupied")
        strides.append(model._occupied.stride)
    assert strides[0] < strides[1] < strides[2] == max(paper_skipping.STRIDES)


def test_an_error_that_cannot_be_kept_to_leaves_the_image_whole():
    model = ball_model(skipping_colour_error=0.0)
    torch.testing.assert_close(render(model, "occupied"), render(model, "none"), rtol=0, atol=0)


def test_a_crop_is_rendered_whole():
    """It may show what the image's rays do not see."""
    model = ball_model()
    box = OrientedBox(R=torch.eye(3), T=torch.zeros(3), S=torch.full((3,), 0.1))
    whole, fast = render(model, "none", obb_box=box), render(model, "occupied", obb_box=box)
    torch.testing.assert_close(fast, whole, rtol=0, atol=0)


def test_a_background_that_the_networks_model_is_rendered_whole():
    model = ball_model(background_at_end=False)
    torch.testing.assert_close(render(model, "occupied"), render(model, "none"), rtol=0, atol=0)


def test_other_rays_are_rendered_whole_after_an_image():
    """What was kept of the image is not taken for rays that are not its own."""
    model = ball_model()
    render(model, "occupied")
    rays = a_camera().generate_rays(0).flatten()[:5]
    with torch.no_grad():
        outputs = model(rays)
    assert (outputs["num_samples_per_ray"] == 128).all()


def test_a_crop_colour_for_the_background_is_kept():
    model = ball_model()
    with renderers.background_color_override_context(torch.tensor([1.0, 0.0, 0.0])):
        fast = render(model, "occupied")
    assert fast["rgb"][0, 0].tolist() == [1.0, 0.0, 0.0]
