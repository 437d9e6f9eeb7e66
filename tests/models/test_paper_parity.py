"""`nerface-paper` computes what NerFace's code does: against `straight_line_nerface`, which shares no code with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import straight_line_nerface as oracle
import torch
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor

from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.field_components.per_frame_linear import FrameBiasLinear
from nerface_ns.model_components import opaque_end, ray_sampling
from nerface_ns.models.paper_face_model import PaperFaceModel

NUM_FRAMES, NUM_RAYS, NEAR, FAR = 4, 12, 0.2, 0.8
HEIGHT, WIDTH = 8, 16
FRAME = 2
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@dataclass
class Case:
    """One model with the same weights in NerFace's layout, and rays of one frame."""

    model: PaperFaceModel
    coarse: oracle.Weights
    fine: oracle.Weights
    code: Tensor
    background: Tensor | None
    """The whole learned image; None where the networks model it."""
    settings: oracle.Settings
    bundle: RayBundle
    pixels: Tensor
    """Row and column of each ray."""
    truth: Tensor


def make_case(dtype: torch.dtype, fidelity: str, is_small: bool = True, background_at_end: bool = True) -> Case:
    """The registered method with random weights, codes and background; small networks keep the recipe's shape."""
    torch.manual_seed(0)
    config = copy.deepcopy(nerface_paper.config.pipeline.model)
    config.fidelity, config.near, config.far, config.background_at_end = fidelity, NEAR, FAR, background_at_end
    num_expression, num_code, width, colour_width, octaves = 76, 32, 256, 128, (10, 4)
    if is_small:
        num_expression, num_code, width, colour_width, octaves = 5, 3, 16, 8, (4, 2)
        config.latent_codes.length, config.num_coarse_samples, config.num_importance_samples = num_code, 12, 9
        for field in (config.coarse_field, config.fine_field):
            field.trunk_width, field.colour_width, field.position_octaves, field.direction_octaves = (
                width,
                colour_width,
                *octaves,
            )
    poses = torch.eye(4)[:3].repeat(NUM_FRAMES, 1, 1)
    metadata = {
        "expression_names": tuple(f"e{k}" for k in range(num_expression)),
        "near_far": (0.3, 0.7),
        "image_size": (HEIGHT, WIDTH),
        "train_expression": torch.randn(NUM_FRAMES, num_expression),
        "train_times": torch.linspace(0, 1, NUM_FRAMES)[:, None],
        "train_camera_to_world": poses,
    }
    box = SceneBox(torch.tensor([[-0.15] * 3, [0.15] * 3]))
    model = config.setup(scene_box=box, num_train_data=NUM_FRAMES, metadata=metadata).to(dtype)
    coarse, fine = (
        oracle.random_weights(num_expression, num_code, width, colour_width, octaves, dtype) for _ in range(2)
    )
    code = torch.randn(num_code, dtype=dtype).requires_grad_()
    background = torch.rand(HEIGHT, WIDTH, 3, dtype=dtype).requires_grad_()
    with torch.no_grad():
        for field, weights in ((model.coarse_field, coarse), (model.fine_field, fine)):
            for parameter, value in zip(field.parameters(), in_our_layout(field, weights)):
                parameter.copy_(value)
        model.latent_codes.codes[FRAME] = code
        model.background.image.copy_(background.permute(2, 0, 1)[None])
    settings = oracle.Settings(
        NEAR, FAR, config.num_coarse_samples, config.num_importance_samples, octaves, 0.1, True, fidelity == "released"
    )
    bundle, pixels = some_rays(dtype)
    truth = torch.rand(NUM_RAYS, 3, dtype=dtype)
    return Case(model, coarse, fine, code, background if background_at_end else None, settings, bundle, pixels, truth)


def some_rays(dtype: torch.dtype) -> tuple[RayBundle, Tensor]:
    """Rays through centres of pixels of a camera that is turned, so that all three numbers of a direction differ."""
    pixels = torch.stack([torch.randint(HEIGHT, (NUM_RAYS,)), torch.randint(WIDTH, (NUM_RAYS,))], dim=-1)
    local = torch.cat([torch.rand(NUM_RAYS, 2, dtype=dtype) * 0.6 - 0.3, -torch.ones(NUM_RAYS, 1, dtype=dtype)], dim=-1)
    rotation = torch.linalg.qr(torch.eye(3, dtype=dtype) + 0.2 * torch.randn(3, 3, dtype=dtype)).Q
    rotation = rotation * rotation.diagonal().sign()
    directions = local @ rotation.T
    norms = directions.norm(dim=-1, keepdim=True)
    bundle = RayBundle(
        origins=(rotation[:, 2] * 0.5).expand(NUM_RAYS, 3),
        directions=directions / norms,
        pixel_area=torch.ones(NUM_RAYS, 1, dtype=dtype),
        camera_indices=torch.full((NUM_RAYS, 1), FRAME),
        metadata={
            "frame_index": torch.full((NUM_RAYS, 1), FRAME),
            "camera_rotation": rotation.flatten().expand(NUM_RAYS, 9),
            "pixel_position": (pixels.flip(-1).to(dtype) + 0.5) / torch.tensor([WIDTH, HEIGHT]),
            "directions_norm": norms,
        },
    )
    return bundle, pixels


def in_our_layout(field, weights: oracle.Weights) -> list[Tensor]:
    """NerFace's tensors in the order of the field's parameters."""
    num_position = field.trunk[0].linear.in_features
    num_initial = weights["layers_xyz.0.weight"].shape[1]
    theirs = {"feature": "fc_feat", "density": "fc_alpha", "rgb": "fc_rgb"}
    theirs |= {f"trunk.{k}": f"layers_xyz.{k}" for k in range(6)} | {f"colour.{k}": f"layers_dir.{k}" for k in range(3)}
    values = []
    for name, _ in field.named_parameters():
        layer, kind = name.rsplit(".", 1)
        value = weights[f"{theirs[layer.removesuffix('.linear').removesuffix('.condition')]}.{kind}"]
        if layer.endswith(".condition"):
            value = value[:, num_position:num_initial]
        elif layer.endswith(".linear") and kind == "weight":
            value = torch.cat([value[:, :num_position], value[:, num_initial:]], dim=1)
        values.append(value)
    return values


def expected_outputs(case: Case, seed: int, fine_depths: Tensor | None = None) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    row, column = case.pixels.T
    return oracle.render(
        case.coarse,
        case.fine,
        case.bundle.origins,
        case.bundle.directions * case.bundle.metadata["directions_norm"],
        None if case.background is None else case.background[row, column],
        case.model.track.expression[FRAME],
        case.code,
        case.settings,
        fine_depths,
    )


def found_outputs(case: Case, seed: int) -> dict[str, Tensor]:
    """What the model makes of the rays, and what it made its colours from."""
    condition, frame_rows = case.model.get_ray_conditions(case.bundle)
    rays = case.model._make_rays(case.bundle, frame_rows, None)
    torch.manual_seed(seed)
    coarse, fine = case.model._renderer.render(rays, condition, lambda n: case.model._draw(rays, n), "both")
    torch.manual_seed(seed)
    outputs = case.model(case.bundle)
    assert torch.equal(outputs["rgb"], fine.rgb)
    return {
        "depths_coarse": coarse.depths,
        "weights_coarse": coarse.weights,
        "rgb_coarse": outputs.get("rgb_coarse", coarse.rgb),
        "depths_fine": fine.depths,
        "weights_fine": fine.weights,
        "rgb_fine": outputs["rgb"],
        **{name: outputs[name] for name in ("code_length",) if name in outputs},
    }


def relative_error(found: Tensor | None, expected: Tensor) -> float:
    if found is None:
        return 1.0
    return ((found - expected).norm() / expected.norm()).item()


def training_errors(case: Case, seed: int = 5) -> dict[str, float]:
    """Relative error of everything a training step computes, by name; gradients have "grad" before theirs.

    Both take the fine samples where the model puts them: a depth that differs in its last digit, times 2^9, is another.
    """
    found = found_outputs(case, seed)
    expected = expected_outputs(case, seed, found["depths_fine"])
    errors = {name: relative_error(found[name], value) for name, value in expected.items()}
    outputs = {"rgb": found["rgb_fine"], "rgb_coarse": found["rgb_coarse"], "code_length": found["code_length"]}
    losses = case.model.get_loss_dict(outputs, {"image": case.truth})
    total, expected_total = sum(losses.values()), oracle.loss(expected, case.truth, case.code)
    errors["loss"] = relative_error(total, expected_total)
    case.model.zero_grad()
    leaves = [*case.coarse.values(), *case.fine.values(), case.code]
    for leaf in [*leaves, *([] if case.background is None else [case.background])]:
        leaf.grad = None
    total.backward()
    expected_total.backward()
    for network, weights in (("coarse", case.coarse), ("fine", case.fine)):
        field = getattr(case.model, f"{network}_field")
        gradients = in_our_layout(field, {name: weight.grad for name, weight in weights.items()})
        for (name, parameter), gradient in zip(field.named_parameters(), gradients):
            errors[f"grad {network} {name}"] = relative_error(parameter.grad, gradient)
    errors["grad codes"] = relative_error(case.model.latent_codes.codes.grad[FRAME], case.code.grad)
    if case.background is not None:
        gradient = case.model.background.image.grad[0].permute(1, 2, 0)
        errors["grad background"] = relative_error(gradient, case.background.grad)
    return errors


def assert_small(errors: dict[str, float], tolerance: float) -> None:
    wrong = {name: error for name, error in errors.items() if not error <= tolerance}
    assert not wrong


@pytest.mark.parametrize("fidelity", ["released", "published"])
def test_a_training_step_is_nerfaces_in_double_precision(fidelity):
    """Networks of the released sizes: samples, weights, colours, loss and the gradient of every parameter."""
    errors = training_errors(make_case(torch.float64, fidelity, is_small=False))
    assert len(errors) == 6 + 1 + 2 * 26 + 2
    assert_small(errors, 1e-10)


@pytest.mark.parametrize("fidelity", ["released", "published"])
def test_a_training_step_is_nerfaces_in_single_precision(fidelity):
    """All that is continuous agrees for any random numbers.

    A gradient jumps where some rectifier's input is 0 up to rounding, which happens for some random numbers, whichever
    of the two computes it. So gradients have to agree, all of them, for one seed of several; a formula that is wrong
    is wrong for each.
    """
    case = make_case(torch.float32, fidelity, is_small=False)
    worst_gradients = []
    for seed in range(5):
        errors = training_errors(case, seed)
        assert_small({name: error for name, error in errors.items() if not name.startswith("grad")}, 1e-5)
        worst_gradients.append(max(error for name, error in errors.items() if name.startswith("grad")))
    assert min(worst_gradients) <= 1e-5


def test_a_training_step_without_background_is_nerfaces():
    """The release without a photograph: the last sample keeps the network's colour and its density of 1e-6."""
    errors = training_errors(make_case(torch.float64, "released", background_at_end=False))
    assert "grad background" not in errors
    assert_small(errors, 1e-10)


@torch.no_grad()
@pytest.mark.parametrize("fidelity", ["released", "published"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_evaluation_is_nerfaces(dtype, fidelity):
    """No noise; "released" still draws its samples at random, "published" leaves them at even steps."""
    case = make_case(dtype, fidelity, is_small=False)
    case.model.eval()
    case.settings.noise_std, case.settings.is_random = 0.0, fidelity == "released"
    found = found_outputs(case, 3)
    expected = expected_outputs(case, 3, found["depths_fine"])
    assert_small({name: relative_error(found[name], value) for name, value in expected.items()}, TOLERANCE[dtype])


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_networks_are_nerfaces(dtype):
    """Raw densities and colours of single points, in the released sizes."""
    case = make_case(dtype, "released", is_small=False)
    points = torch.rand(50, 3, dtype=dtype) - 0.5
    told, rows = torch.randn(50, 3, dtype=dtype), torch.zeros(50, dtype=torch.long)
    expression = case.model.track.expression[FRAME]
    condition = case.model.make_condition(torch.eye(4, dtype=dtype)[None, :3], torch.tensor([FRAME]))
    for field, weights in ((case.model.coarse_field, case.coarse), (case.model.fine_field, case.fine)):
        raw_rgb, raw_density = oracle.network(weights, points, told, expression, case.code, (10, 4))
        prepared = field.prepare(condition)
        density, features = field.get_raw_density(points, rows, prepared)
        assert relative_error(density, raw_density) <= TOLERANCE[dtype]
        assert relative_error(field.get_rgb(told, rows, prepared, features), raw_rgb.sigmoid()) <= TOLERANCE[dtype]


MUTATIONS: dict[str, Callable[[Case, pytest.MonkeyPatch], None]] = {
    "density of the background": lambda case, patch: patch.setattr(opaque_end, "LAST_DENSITY", 0.0),
    "length of the background": lambda case, patch: patch.setattr(opaque_end, "LAST_DEPTH", 1e6),
    "clearness": lambda case, patch: patch.setattr(opaque_end, "LEAST_CLEARNESS", 0.0),
    "padding of the weights": lambda case, patch: patch.setattr(ray_sampling, "WEIGHT_PADDING", 1.1e-5),
    "least share": lambda case, patch: patch.setattr(ray_sampling, "LEAST_SHARE", 0.05),
    "scale of the expression": lambda case, patch: setattr(case.model.expression_encoding.config, "scale", 0.3333),
    "centred expression": lambda case, patch: setattr(case.model.expression_encoding.config, "centre", True),
    "density noise": lambda case, patch: setattr(case.model.fine_field.config, "density_noise", 0.1001),
    "weight of the codes": lambda case, patch: setattr(case.model.config, "code_weight", 0.00501),
    "weight of the coarse colours": lambda case, patch: setattr(case.model.config, "coarse_weight", 1.001),
    "what the colours are told": lambda case, patch: setattr(case.model, "direction_input", "view_direction"),
    "far plane": lambda case, patch: setattr(case.model, "far", FAR + 1e-6),
    "no frame biases": lambda case, patch: patch.setattr(FrameBiasLinear, "forward", lambda s, x, *_: s.linear(x)),
}
"""Changes of one formula or constant each."""


@pytest.mark.parametrize("name", MUTATIONS)
def test_no_formula_can_change_unnoticed(name, monkeypatch):
    case = make_case(torch.float64, "released")
    assert_small(training_errors(case), 1e-10)
    MUTATIONS[name](case, monkeypatch)
    assert max(training_errors(case).values()) > 1e-9
