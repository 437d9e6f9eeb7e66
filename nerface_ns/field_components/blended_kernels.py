"""Compiled CPU loops behind `BlendedTables`: trilinear lookup in one multiresolution table per frame, its gradients.

All kernels take points in [0, 1]^3 (outside is clamped), each point's frame, tables (num_frames, rows, channels) that
hold the levels one after the other, a tuple with one entry per channel, and for each level its first row, its vertices
along an axis, its number of rows, and where in it a coordinate lies: at `scale` times the coordinate plus `shift`,
counted in vertices. A level whose vertices all have a row is dense, z fastest; another is hashed as in instant-ngp, and
its number of rows is a power of two.

A loop over the length of a tuple is unrolled and vectorised, which one over a number is not, and constants are of
single precision, lest all products be made in double: together 1.2 to 2 times as fast.
"""

from __future__ import annotations

import numba
import numpy as np

from nerface_ns.field_components.cpu_kernels import inner_kernel, parallel_kernel

HASH_Y, HASH_Z = 2654435761, 805459861
"""Factors of the hash along y and z; x has 1 (Mueller et al. 2022, eq. 4)."""
ZERO, ONE = np.float32(0), np.float32(1)


@inner_kernel
def _cell(coordinate, resolution, scale, shift):
    scaled = min(max(coordinate, ZERO), ONE) * scale + shift
    index = max(min(int(scaled), resolution - 2), 0)  # a coordinate that is NaN has to stay in the table too
    return index, scaled - np.float32(index)


@inner_kernel
def _row(i, j, k, resolution, size):
    if resolution * resolution * resolution <= size:
        return (i * resolution + j) * resolution + k
    return (i ^ (j * HASH_Y) ^ (k * HASH_Z)) & (size - 1)


@parallel_kernel
def lookup(points, frame_rows, tables, lanes, first_rows, resolutions, sizes, scales, shifts, features):
    """Fill features (num_points, num_levels * channels)."""
    channels = len(lanes)
    for n in numba.prange(points.shape[0]):
        frame = frame_rows[n]
        for level in range(resolutions.shape[0]):
            r, size, first = resolutions[level], sizes[level], first_rows[level]
            scale, shift = scales[level], shifts[level]
            column = level * channels
            i, fx = _cell(points[n, 0], r, scale, shift)
            j, fy = _cell(points[n, 1], r, scale, shift)
            k, fz = _cell(points[n, 2], r, scale, shift)
            for c in range(channels):
                features[n, column + c] = ZERO
            for a in range(2):
                wx = fx if a else ONE - fx
                for b in range(2):
                    wxy = wx * (fy if b else ONE - fy)
                    low_row = first + _row(i + a, j + b, k, r, size)
                    high_row = first + _row(i + a, j + b, k + 1, r, size)
                    low, high = wxy * (ONE - fz), wxy * fz
                    for c in range(channels):
                        features[n, column + c] += low * tables[frame, low_row, c] + high * tables[frame, high_row, c]


@parallel_kernel
def table_gradient(points, frame_starts, gradient, lanes, first_rows, resolutions, sizes, scales, shifts, tables_grad):
    """Add the gradient of the features to that of the tables.

    Points are ordered by frame; `frame_starts` (num_frames + 1) says where each frame's begin. Threads share the work
    by frame and level, so no two write to one number and sums have one order.
    """
    channels = len(lanes)
    levels = resolutions.shape[0]
    for task in numba.prange((frame_starts.shape[0] - 1) * levels):
        frame, level = task // levels, levels - 1 - task % levels
        r, size, first = resolutions[level], sizes[level], first_rows[level]
        scale, shift = scales[level], shifts[level]
        column = level * channels
        for n in range(frame_starts[frame], frame_starts[frame + 1]):
            i, fx = _cell(points[n, 0], r, scale, shift)
            j, fy = _cell(points[n, 1], r, scale, shift)
            k, fz = _cell(points[n, 2], r, scale, shift)
            for a in range(2):
                wx = fx if a else ONE - fx
                for b in range(2):
                    wxy = wx * (fy if b else ONE - fy)
                    low_row = first + _row(i + a, j + b, k, r, size)
                    high_row = first + _row(i + a, j + b, k + 1, r, size)
                    low, high = wxy * (ONE - fz), wxy * fz
                    for c in range(channels):
                        tables_grad[frame, low_row, c] += low * gradient[n, column + c]
                    for c in range(channels):
                        tables_grad[frame, high_row, c] += high * gradient[n, column + c]


@parallel_kernel
def point_gradient(
    points, frame_rows, gradient, tables, lanes, first_rows, resolutions, sizes, scales, shifts, point_grad
):
    """Fill the gradient of the points (num_points, 3); it is zero along an axis on which a point was clamped."""
    channels = len(lanes)
    for n in numba.prange(points.shape[0]):
        frame = frame_rows[n]
        gx, gy, gz = ZERO, ZERO, ZERO
        for level in range(resolutions.shape[0]):
            r, size, first = resolutions[level], sizes[level], first_rows[level]
            scale, shift = scales[level], shifts[level]
            column = level * channels
            i, fx = _cell(points[n, 0], r, scale, shift)
            j, fy = _cell(points[n, 1], r, scale, shift)
            k, fz = _cell(points[n, 2], r, scale, shift)
            for a in range(2):
                wx = fx if a else ONE - fx
                sign_x = ONE if a else -ONE
                for b in range(2):
                    wy = fy if b else ONE - fy
                    sign_y = ONE if b else -ONE
                    low_row = first + _row(i + a, j + b, k, r, size)
                    high_row = first + _row(i + a, j + b, k + 1, r, size)
                    low, high = ZERO, ZERO
                    for c in range(channels):
                        value = gradient[n, column + c]
                        low += value * tables[frame, low_row, c]
                        high += value * tables[frame, high_row, c]
                    along = low * (ONE - fz) + high * fz
                    gx += sign_x * wy * along * scale
                    gy += sign_y * wx * along * scale
                    gz += wx * wy * (high - low) * scale
        point_grad[n, 0] = gx if ZERO <= points[n, 0] <= ONE else ZERO
        point_grad[n, 1] = gy if ZERO <= points[n, 1] <= ONE else ZERO
        point_grad[n, 2] = gz if ZERO <= points[n, 2] <= ONE else ZERO
