"""NerFace's network, picture and training written straight from its facts; nothing here is the package's code."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OCTAVES, DIRECTION_OCTAVES, NUM_COEFFICIENTS, CODE_LENGTH = 4, 4, 3, 5
WIDTH, COLOUR_WIDTH, NUM_FRAMES, IMAGE_SIZE = 16, 8, 5, (12, 16)
NEAR, FAR, RATE, ITERATION = 0.2, 0.8, 5e-4, 1234


def encode(vector: Tensor, num_octaves: int, include_input: bool) -> Tensor:
    """Raw vector first, then for each octave its sines and its cosines."""
    parts = [vector] if include_input else []
    for octave in range(num_octaves):
        for wave in (torch.sin, torch.cos):
            parts.append(wave(vector * 2.0**octave))
    return torch.cat(parts, dim=-1)


class ReleasedNetwork(nn.Module):
    """The network with its names; sizes are small, the order of every input is the release's."""

    def __init__(self) -> None:
        super().__init__()
        num_inputs = 3 + 6 * OCTAVES + NUM_COEFFICIENTS + CODE_LENGTH
        ins = [num_inputs, WIDTH, WIDTH, num_inputs + WIDTH, WIDTH, WIDTH]
        self.layers_xyz = nn.ModuleList([nn.Linear(num_in, WIDTH) for num_in in ins])
        self.fc_feat = nn.Linear(WIDTH, WIDTH)
        self.fc_alpha = nn.Linear(WIDTH, 1)
        ins = [WIDTH + 6 * DIRECTION_OCTAVES, COLOUR_WIDTH, COLOUR_WIDTH, COLOUR_WIDTH]
        self.layers_dir = nn.ModuleList([nn.Linear(num_in, COLOUR_WIDTH) for num_in in ins])
        self.fc_rgb = nn.Linear(COLOUR_WIDTH, 3)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        self.fc_alpha.weight.data *= 4
        self.fc_alpha.bias.data += 4

    def forward(self, position: Tensor, direction: Tensor, expression: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Colours in [0, 1] and raw densities of samples of one frame."""
        frame = torch.cat([expression / 3, code]).expand(len(position), -1)
        inputs = torch.cat([encode(position, OCTAVES, True), frame], dim=-1)
        hidden = inputs
        for index, layer in enumerate(self.layers_xyz):
            if index == 3:
                hidden = torch.cat([inputs, hidden], dim=-1)
            hidden = layer(hidden).relu()
        features = self.fc_feat(hidden)
        density = self.fc_alpha(features)[:, 0]
        hidden = torch.cat([features, encode(direction, DIRECTION_OCTAVES, False)], dim=-1)
        for layer in self.layers_dir[:3]:
            hidden = layer(hidden).relu()
        return self.fc_rgb(hidden).sigmoid(), density


class ReleasedTraining:
    """Both networks, codes and background under one Adam, as the training script sets them up."""

    def __init__(self) -> None:
        self.coarse, self.fine = ReleasedNetwork(), ReleasedNetwork()
        self.codes = (torch.randn(NUM_FRAMES, CODE_LENGTH) * 0.3).requires_grad_()
        self.background = torch.rand(*IMAGE_SIZE, 3)
        networks = [*self.coarse.parameters(), *self.fine.parameters(), self.codes]
        groups = [{"params": networks}, {"params": self.background, "lr": RATE}]
        self.optimizer = torch.optim.Adam(groups, lr=RATE)

    def loss(self, position: Tensor, direction: Tensor, expression: Tensor, weights: Tensor, frame: int) -> Tensor:
        """Some number that every used parameter has a part in."""
        total = torch.zeros(())
        for network in (self.coarse, self.fine):
            colour, density = network(position, direction, expression, self.codes[frame])
            total = total + (colour * weights[:, :3]).sum() + (density * weights[:, 3]).sum()
        return total

    def step(self, loss: Tensor) -> None:
        """One step of Adam, then the rate that the script sets after it."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * 0.1 ** (ITERATION / 250_000)

    def step_at_random(self) -> None:
        samples = torch.randn(20, 3) * 0.2, torch.randn(20, 3), torch.randn(NUM_COEFFICIENTS), torch.randn(20, 4)
        self.step(self.loss(*samples, frame=int(torch.randint(NUM_FRAMES, ()))))

    def checkpoint(self) -> dict[str, Any]:
        """What the script saves, with the whole numbers that older versions of torch counted Adam's steps in."""
        adam = copy.deepcopy(self.optimizer.state_dict())
        for state in adam["state"].values():
            state["step"] = int(state["step"])
        return {
            "iter": ITERATION,
            "model_coarse_state_dict": copy.deepcopy(self.coarse.state_dict()),
            "model_fine_state_dict": copy.deepcopy(self.fine.state_dict()),
            "optimizer_state_dict": adam,
            "loss": torch.tensor(0.125, requires_grad=True),
            "psnr": 27.5,
            "background": self.background,
            "latent_codes": self.codes.data.clone(),
        }


def composite(colour: Tensor, density: Tensor, depths: Tensor, norm: Tensor, background: Tensor) -> tuple[Tensor, ...]:
    """One ray's colour and the samples' weights; the last sample shows the background and is opaque."""
    density = density.relu()
    light, weights = torch.ones(()), []
    for index in range(len(depths)):
        is_last = index == len(depths) - 1
        length = (torch.tensor(1e10) if is_last else depths[index + 1] - depths[index]) * norm
        opacity = 1 - torch.exp(-(density[index] + (1e-6 if is_last else 0.0)) * length)
        weights.append(light * opacity)
        light = light * (1 - opacity + 1e-10)
    weights = torch.stack(weights)
    colour = torch.cat([colour[:-1], background[None]])
    return (weights[:, None] * colour).sum(dim=0), weights


def importance_depths(middles: Tensor, weights: Tensor, count: int) -> Tensor:
    """Even steps along the running sum of the weights."""
    running = torch.cat([torch.zeros(1), ((weights + 1e-5) / (weights + 1e-5).sum()).cumsum(0)])
    depths = []
    for place in torch.linspace(0, 1, count):
        above = int((running <= place).sum())
        below, above = max(above - 1, 0), min(above, len(running) - 1)
        share = running[above] - running[below]
        share = share if share >= 1e-5 else torch.ones(())
        depths.append(middles[below] + (place - running[below]) / share * (middles[above] - middles[below]))
    return torch.stack(depths)


def render(training: ReleasedTraining, folder: Path, split: str, index: int, code: Tensor, count: int) -> Tensor:
    """A frame's picture in the mirrored world of its frame file, without jitter."""
    content = json.loads((folder / f"transforms_{split}.json").read_text())
    frame = content["frames"][index]
    fx, fy, cx, cy = content["intrinsics"]
    pose, expression = torch.tensor(frame["transform_matrix"]), torch.tensor(frame["expression"])
    height, width = IMAGE_SIZE
    picture = torch.zeros(height, width, 3)
    for row in range(height):
        for column in range(width):
            pixel = torch.tensor([(column - width * cx) / fx, -(row - height * cy) / fy, -1.0])
            direction = pose[:3, :3] @ pixel
            told = torch.stack([direction[2], torch.tensor(NEAR), torch.tensor(FAR)])
            depths = torch.linspace(NEAR, FAR, count)
            for network in (training.coarse, training.fine):
                points = pose[:3, 3] + depths[:, None] * direction
                colour, density = network(points, told.expand(len(points), 3), expression, code)
                shown = training.background[row, column]
                picture[row, column], weights = composite(colour, density, depths, direction.norm(), shown)
                if network is training.coarse:
                    added = importance_depths((depths[1:] + depths[:-1]) / 2, weights[1:-1], count)
                    depths = torch.cat([depths, added]).sort().values
    return picture


def assert_same(first: Any, second: Any, where: str = "") -> None:
    """Two checkpoints are the same to the last bit, their order included."""
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            assert_same(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for index, (one, other) in enumerate(zip(first, second)):
            assert_same(one, other, f"{where}[{index}]")
    elif isinstance(first, Tensor):
        assert first.dtype == second.dtype and first.shape == second.shape, where
        np.testing.assert_array_equal(
            first.detach().contiguous().numpy().view(np.uint8) if first.ndim else first.detach().numpy(),
            second.detach().contiguous().numpy().view(np.uint8) if second.ndim else second.detach().numpy(),
            err_msg=where,
        )
    else:
        assert first == second or (isinstance(first, float) and math.isnan(first) and math.isnan(second)), where
