"""NerFace's formulas, one after the other, as an oracle: plain torch on plain tensors, nothing of the package.

Facts of gafniguy/4D-Facial-Avatars that the code below states: a ray's points lie at origin + z * direction, whose
direction reaches depth 1; the networks' inputs are concatenated for every point; random numbers are drawn in the order
coarse places, coarse noise, fine places, fine noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Weights = dict[str, Tensor]
"""By the names of the released checkpoints: `layers_xyz.0.weight`, ..., `fc_rgb.bias`."""


def random_weights(
    num_expression: int, num_code: int, width: int, colour_width: int, octaves: tuple[int, int], dtype: torch.dtype
) -> Weights:
    """Weights of one network: torch's first ones for linear layers, with a density that comes and goes in space."""
    position, direction = 3 + 6 * octaves[0], 6 * octaves[1]
    initial = position + num_expression + num_code
    sizes = {f"layers_xyz.{k}": (width, width) for k in range(6)}
    sizes |= {"layers_xyz.0": (width, initial), "layers_xyz.3": (width, initial + width)}
    sizes |= {"fc_feat": (width, width), "fc_alpha": (1, width)}
    sizes |= {f"layers_dir.{k}": (colour_width, colour_width) for k in range(3)}
    sizes |= {"layers_dir.0": (colour_width, width + direction), "fc_rgb": (3, colour_width)}
    weights = {}
    for name, (rows, columns) in sizes.items():
        weights[f"{name}.weight"] = (torch.rand(rows, columns, dtype=torch.float64) * 2 - 1) * columns**-0.5
        weights[f"{name}.bias"] = (torch.rand(rows, dtype=torch.float64) * 2 - 1) * columns**-0.5
    weights["fc_rgb.weight"] *= 10
    points = torch.rand(200, 3, dtype=torch.float64) - 0.5
    nothing = [torch.zeros(count, dtype=torch.float64) for count in (num_expression, num_code)]
    raw = network(weights, points, points, *nothing, octaves)[1]
    weights["fc_alpha.weight"] *= 8 / raw.std()
    weights["fc_alpha.bias"] = (weights["fc_alpha.bias"] - raw.mean()) * 8 / raw.std() + 1
    return {name: weight.to(dtype).requires_grad_() for name, weight in weights.items()}


def waves(vectors: Tensor, octaves: int) -> Tensor:
    """Sines and cosines at frequencies 1, 2, 4, ..."""
    return torch.cat([wave(vectors * 2.0**k) for k in range(octaves) for wave in (torch.sin, torch.cos)], dim=-1)


def network(
    weights: Weights, points: Tensor, told: Tensor, expression: Tensor, code: Tensor, octaves: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Raw colours and raw densities of points (count, 3) of one frame."""

    def linear(name: str, inputs: Tensor) -> Tensor:
        return inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    count = len(points)
    condition = [(expression * 1 / 3).repeat(count, 1), code.repeat(count, 1)]
    initial = torch.cat([points, waves(points, octaves[0]), *condition], dim=1)
    hidden = initial
    for index in range(6):
        hidden = torch.relu(linear(f"layers_xyz.{index}", torch.cat([initial, hidden], 1) if index == 3 else hidden))
    feature = linear("fc_feat", hidden)
    hidden = torch.cat([feature, waves(told, octaves[1])], dim=1)
    for index in range(3):
        hidden = torch.relu(linear(f"layers_dir.{index}", hidden))
    return linear("fc_rgb", hidden), linear("fc_alpha", feature)[:, 0]


def volume_render(
    raw_rgb: Tensor,
    raw_density: Tensor,
    depths: Tensor,
    directions: Tensor,
    noise_std: float,
    background: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Colours and weights of rays; the last sample is the background, if there is one."""
    stretches = torch.cat([depths[:, 1:] - depths[:, :-1], torch.full_like(depths[:, :1], 1e10)], dim=1)
    stretches = stretches * directions.norm(dim=-1, keepdim=True)
    rgb = torch.sigmoid(raw_rgb)
    if background is not None:
        rgb = torch.cat([rgb[:, :-1], background[:, None]], dim=1)
    noise = torch.randn(raw_density.shape, dtype=raw_density.dtype) * noise_std if noise_std > 0 else 0.0
    density = torch.relu(raw_density + noise)
    last = torch.zeros_like(density)
    last[:, -1] = 1e-6
    opacity = 1 - torch.exp(-(density + last) * stretches)
    light = torch.cumprod(1 - opacity + 1e-10, dim=1)
    weights = opacity * torch.cat([torch.ones_like(light[:, :1]), light[:, :-1]], dim=1)
    return (weights[..., None] * rgb).sum(dim=1), weights


def importance_places(middles: Tensor, weights: Tensor, count: int, is_random: bool) -> Tensor:
    """Depths where the running sum of the weights takes random values, or even ones."""
    weights = weights + 1e-5
    running = torch.cumsum(weights / weights.sum(dim=1, keepdim=True), dim=1)
    running = torch.cat([torch.zeros_like(running[:, :1]), running], dim=1)
    if is_random:
        value = torch.rand(len(middles), count, dtype=weights.dtype)
    else:
        value = torch.linspace(0, 1, count, dtype=weights.dtype).repeat(len(middles), 1)
    after = torch.searchsorted(running.detach(), value, right=True)
    first, second = (after - 1).clamp(min=0), after.clamp(max=running.shape[1] - 1)
    low, high = running.gather(1, first), running.gather(1, second)
    share = torch.where(high - low < 1e-5, torch.ones_like(low), high - low)
    start, end = middles.gather(1, first), middles.gather(1, second)
    return (start + (value - low) / share * (end - start)).detach()


@dataclass
class Settings:
    """What the release's yml files say, and what differs between the release and the publication."""

    near: float
    far: float
    num_coarse: int
    num_fine: int
    octaves: tuple[int, int]
    noise_std: float
    is_random: bool
    tells_last_columns: bool


def render(
    coarse: Weights,
    fine: Weights,
    origins: Tensor,
    directions: Tensor,
    background: Tensor | None,
    expression: Tensor,
    code: Tensor,
    settings: Settings,
    fine_depths: Tensor | None = None,
) -> dict[str, Tensor]:
    """Render rays of one frame with both networks; `fine_depths` replace those that come out."""
    count = len(origins)
    near, far = (torch.full_like(origins[:, :1], plane) for plane in (settings.near, settings.far))
    batch = torch.cat([origins, directions, near, far], dim=1)
    told = batch[:, -3:] if settings.tells_last_columns else directions / directions.norm(dim=1, keepdim=True)

    def ask(weights: Weights, depths: Tensor) -> tuple[Tensor, Tensor]:
        points = origins[:, None] + directions[:, None] * depths[..., None]
        every_told = told[:, None].expand(points.shape).reshape(-1, 3)
        raw = network(weights, points.reshape(-1, 3), every_told, expression, code, settings.octaves)
        raw_rgb, raw_density = raw[0].reshape(*depths.shape, 3), raw[1].reshape(depths.shape)
        return volume_render(raw_rgb, raw_density, depths, directions, settings.noise_std, background)

    share = torch.linspace(0, 1, settings.num_coarse, dtype=origins.dtype)
    depths = (near * (1 - share) + far * share).expand(count, -1)
    if settings.is_random:
        middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
        upper, lower = torch.cat([middles, depths[:, -1:]], 1), torch.cat([depths[:, :1], middles], 1)
        depths = lower + (upper - lower) * torch.rand(depths.shape, dtype=depths.dtype)
    rgb_coarse, weights_coarse = ask(coarse, depths)
    middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
    added = importance_places(middles, weights_coarse[:, 1:-1], settings.num_fine, settings.is_random)
    own_depths = torch.sort(torch.cat([depths, added], dim=1), dim=1).values
    rgb_fine, weights_fine = ask(fine, own_depths if fine_depths is None else fine_depths)
    return {
        "depths_coarse": depths,
        "weights_coarse": weights_coarse,
        "rgb_coarse": rgb_coarse,
        "depths_fine": own_depths,
        "weights_fine": weights_fine,
        "rgb_fine": rgb_fine,
    }


def loss(outputs: dict[str, Tensor], truth: Tensor, code: Tensor) -> Tensor:
    """Both squared errors and the code's length."""
    squared_errors = ((outputs["rgb_coarse"] - truth) ** 2).mean() + ((outputs["rgb_fine"] - truth) ** 2).mean()
    return squared_errors + 10 * 0.0005 * torch.norm(code)
