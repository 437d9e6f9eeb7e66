"""Steps, bumps and seeded noise for procedural surfaces, textures and motion."""

from __future__ import annotations

import numpy as np

from nerface_ns.synthetic.compile_kernel import compiled


def smoothstep(low: float | np.ndarray, high: float | np.ndarray, value: np.ndarray) -> np.ndarray:
    """Cubic step from 0 at `low` to 1 at `high` (`low > high` steps down)."""
    fraction = np.clip((value - low) / (np.asarray(high) - low), 0.0, 1.0)
    return fraction * fraction * (3.0 - 2.0 * fraction)


def gaussian(offset: np.ndarray | float, *more: np.ndarray | float) -> np.ndarray:
    """exp(-sum of squares) of offsets that the caller has divided by their widths."""
    return np.exp(-sum(np.square(each) for each in (offset, *more)))


@compiled
def _lattice(x: int, y: int, z: int, seed: int) -> float:
    """Uniform number in [0, 1) that depends only on an integer lattice cell and the seed."""
    state = np.uint32(seed) * np.uint32(747796405) + np.uint32(1445733227)
    for cell in (x, y, z):
        state = np.uint32((state ^ np.uint32(cell)) * np.uint32(2654435761))
        state ^= state >> np.uint32(15)
        state = np.uint32(state * np.uint32(2246822519))
        state ^= state >> np.uint32(13)
    return float(state) / 4294967296.0


@compiled
def _fractal_sum(points: np.ndarray, seed: int, octaves: int, result: np.ndarray) -> None:
    """Write the sum of value-noise octaves at points (N, 3) to `result` (N,)."""
    for n in range(points.shape[0]):
        amplitude, scale, total = 0.5, 1.0, 0.0
        for octave in range(octaves):
            px, py, pz = points[n, 0] * scale, points[n, 1] * scale, points[n, 2] * scale
            ix, iy, iz = int(np.floor(px)), int(np.floor(py)), int(np.floor(pz))
            fx, fy, fz = px - ix, py - iy, pz - iz
            fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
            noise = 0.0
            for corner in range(8):
                cx, cy, cz = corner & 1, (corner >> 1) & 1, corner >> 2
                weight = (fx if cx else 1 - fx) * (fy if cy else 1 - fy) * (fz if cz else 1 - fz)
                if weight > 0.0:
                    noise += weight * _lattice(ix + cx, iy + cy, iz + cz, seed + octave)
            total += amplitude * (2.0 * noise - 1.0)
            amplitude *= 0.5
            scale *= 2.0
        result[n] = total


def fractal_noise(points: np.ndarray, seed: int, octaves: int = 3) -> np.ndarray:
    """Smooth noise within [-1, 1] at points (..., 1 to 3 coordinates), deterministic.

    The sum of `octaves` of value noise, the first with one lattice cell per unit and strength 1/2, each further one
    half as strong and twice as fine.
    """
    flat = np.zeros((points[..., 0].size, 3), np.float32)
    flat[:, : points.shape[-1]] = points.reshape(-1, points.shape[-1])
    result = np.empty(len(flat), np.float32)
    _fractal_sum(flat, seed, octaves, result)
    return result.reshape(points.shape[:-1])


def value_noise(points: np.ndarray, seed: int) -> np.ndarray:
    """One octave of the same noise, scaled to [0, 1]."""
    return 0.5 + fractal_noise(points, seed, octaves=1)
