"""A straight-line rewriting of what NeRFBlendShape's network computes, and a random state dict of it."""

from __future__ import annotations

import math

import torch

from nerface_ns.original.blendshape_network import HALF_BOX, WORLD_SCALE

NUM_COEFFICIENTS, NUM_LEVELS, CHANNELS, MOST_ROWS = 2, 16, 4, 2**14
GROWTH = 2 ** (math.log2(1024 / 16) / (NUM_LEVELS - 1))


def released_state(num_geometry: int = 64) -> dict[str, torch.Tensor]:
    """A random state dict with the entries and sizes of the release's default network."""
    generator = torch.Generator().manual_seed(0)
    offsets = [0]
    for level in range(NUM_LEVELS):
        offsets.append(offsets[-1] + min(MOST_ROWS, (math.ceil(16 * GROWTH**level - 1e-9) + 1) ** 3))
    padded_out, padded_in = -(-(1 + num_geometry) // 16) * 16, -(-(16 + num_geometry) // 16) * 16
    return {
        "encoder.offsets": torch.tensor(offsets, dtype=torch.int32),
        "encoder.embeddings": torch.randn(NUM_COEFFICIENTS, offsets[-1], CHANNELS, generator=generator),
        "encoder.embeddings_mean": torch.randn(1, offsets[-1], CHANNELS, generator=generator),
        "sigma_net.params": torch.randn(64 * 64 + 3 * 64 * 64 + padded_out * 64, generator=generator) * 0.15,
        "color_net.params": torch.randn(64 * padded_in + 16 * 64, generator=generator) * 0.15,
        "encoder_dir.params": torch.zeros(0),
        "density_grid": torch.zeros(129, 129, 129),
    }


def released_features(state, point: list[float], expression: torch.Tensor) -> torch.Tensor:
    """The blended table, looked up as the release's kernel does: a loop over levels and corners."""
    tables = torch.cat([state["encoder.embeddings_mean"], state["encoder.embeddings"]])
    blended = torch.einsum("k,krc->rc", torch.cat([torch.ones(1), expression]), tables)
    features = []
    for level in range(NUM_LEVELS):
        first, size = int(state["encoder.offsets"][level]), int(state["encoder.offsets"][level + 1])
        size -= first
        scale = 16 * GROWTH**level - 1
        stride = math.ceil(scale - 1e-9) + 2
        position = [x * scale + 0.5 for x in point]
        total = torch.zeros(CHANNELS)
        for corner in range(8):
            bits = [(corner >> axis) & 1 for axis in range(3)]
            cell = [math.floor(x) + bit for x, bit in zip(position, bits)]
            weight = math.prod(abs(1 - bit - (x - math.floor(x))) for x, bit in zip(position, bits))
            index = cell[0] + cell[1] * stride + cell[2] * stride**2
            if stride**3 > size:
                index = cell[0] ^ (cell[1] * 2654435761 % 2**32) ^ (cell[2] * 805459861 % 2**32)
            total += weight * blended[first + index % size]
        features.append(total)
    return torch.cat(features)


def tcnn_harmonics(x: float, y: float, z: float) -> torch.Tensor:
    """Real spherical harmonics of degree 0 to 3 with the Condon-Shortley phase, as tiny-cuda-nn has them."""
    pi = math.pi
    return torch.tensor(
        [
            math.sqrt(1 / (4 * pi)),
            -math.sqrt(3 / (4 * pi)) * y,
            math.sqrt(3 / (4 * pi)) * z,
            -math.sqrt(3 / (4 * pi)) * x,
            math.sqrt(15 / (4 * pi)) * x * y,
            -math.sqrt(15 / (4 * pi)) * y * z,
            math.sqrt(5 / (16 * pi)) * (3 * z * z - 1),
            -math.sqrt(15 / (4 * pi)) * x * z,
            math.sqrt(15 / (16 * pi)) * (x * x - y * y),
            -math.sqrt(35 / (32 * pi)) * y * (3 * x * x - y * y),
            math.sqrt(105 / (4 * pi)) * x * y * z,
            -math.sqrt(21 / (32 * pi)) * y * (5 * z * z - 1),
            math.sqrt(7 / (16 * pi)) * z * (5 * z * z - 3),
            -math.sqrt(21 / (32 * pi)) * x * (5 * z * z - 1),
            math.sqrt(105 / (16 * pi)) * z * (x * x - y * y),
            -math.sqrt(35 / (32 * pi)) * x * (x * x - 3 * y * y),
        ]
    )


def fused_network(numbers: torch.Tensor, inputs: torch.Tensor, hidden_layers: int) -> torch.Tensor:
    """Matrices row by row, padded inputs are ones, no biases."""
    values = torch.cat([inputs, torch.ones(-len(inputs) % 16)])
    start = 0
    for _ in range(hidden_layers):
        count = 64 * len(values)
        values = torch.relu(numbers[start : start + count].reshape(64, -1) @ values)
        start += count
    return numbers[start:].reshape(-1, 64) @ values


def released_forward(state, position, direction, expression, num_geometry: int):
    """Density per unit of the data's world, and colour, of a point of the data's world."""
    x, y, z = (position[1], position[2], position[0])
    unit = [(WORLD_SCALE * value + HALF_BOX) / (2 * HALF_BOX) for value in (x, y, z)]
    outputs = fused_network(state["sigma_net.params"], released_features(state, unit, expression), 4)
    density = torch.nn.functional.softplus(outputs[0]) * WORLD_SCALE
    harmonics = tcnn_harmonics(direction[1], direction[2], direction[0])
    inputs = torch.cat([harmonics, outputs[1 : 1 + num_geometry]])
    return density, torch.sigmoid(fused_network(state["color_net.params"], inputs, 1)[:3])
