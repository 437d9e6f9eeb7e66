"""Compiled CPU loops behind `BlendedTables`: trilinear lookup in one multiresolution table per frame, its gradients.

All kernels take points in [0, 1]^3 (outside is clamped), each point's frame, tables (num_frames, rows, channels) that
hold the levels one after the other, and for each level its first row, its vertices along an axis, its number of rows,
and where in it a coordinate lies: at `scale` times the coordinate plus `shift`, counted in vertices. A level whose
vertices all have a row is dense, z fastest; another is hashed as in instant-ngp, and its number of rows is a power of
two.
"""

from __future__ import annotations

import numba

from nerface_ns.field_components.cpu_kernels import inner_kernel, parallel_kernel

HASH_Y, HASH_Z = 2654435761, 805459861
"""Factors of the hash along y and z; x has 1 (Mueller et al. 2022, eq. 4)."""


@inner_kernel
def _cell(coordinate, resolution, scale, shift):
    scaled = min(max(coordinate, 0.0), 1.0) * scale + shift
    index = max(min(int(scaled), resolution - 2), 0)  # a coordinate that is NaN has to stay in the table too
    return index, scaled - index


@inner_kernel
def _row(i, j, k, resolution, size):
    if resolution * resolution * resolution <= size:
        return (i * resolution + j) * resolution + k
    return (i ^ (j * HASH_Y) ^ (k * HASH_Z)) & (size - 1)


@parallel_kernel
def lookup(points, frame_rows, tables, first_rows, resolutions, sizes, scales, shifts, features):
    """Fill features (num_points, num_levels * channels)."""
    channels = tables.shape[2]
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
                features[n, column + c] = 0.0
            for a in range(2):
                wx = fx if a else 1.0 - fx
                for b in range(2):
                    wxy = wx * (fy if b else 1.0 - fy)
                    low_row = first + _row(i + a, j + b, k, r, size)
                    high_row = first + _row(i + a, j + b, k + 1, r, size)
                    low, high = wxy * (1.0 - fz), wxy * fz
                    for c in range(channels):
                        features[n, column + c] += low * tables[frame, low_row, c] + high * tables[frame, high_row, c]


@parallel_kernel
def table_gradient(points, frame_starts, gradient, first_rows, resolutions, sizes, scales, shifts, tables_grad):
    """Add the gradient of the features to that of the tables.

    Points are ordered by frame; `frame_starts` (num_frames + 1) says where each frame's begin. Threads share the work
    by frame and level, so no two write to one number and sums have one order.
    """
    channels = tables_grad.shape[2]
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
                wx = fx if a else 1.0 - fx
                for b in range(2):
                    wxy = wx * (fy if b else 1.0 - fy)
                    low_row = first + _row(i + a, j + b, k, r, size)
                    high_row = first + _row(i + a, j + b, k + 1, r, size)
                    low, high = wxy * (1.0 - fz), wxy * fz
                    for c in range(channels):
                        value = gradient[n, column + c]
                        tables_grad[frame, low_row, c] += low * value
                        tables_grad[frame, high_row, c] += high * value


@parallel_kernel
def point_gradient(points, frame_rows, gradient, tables, first_rows, resolutions, sizes, scales, shifts, point_grad):
    """Fill the gradient of the points (num_points, 3); it is zero along an axis on which a point was clamped."""
    channels = tables.shape[2]
    for n in numba.prange(points.shape[0]):
        frame = frame_rows[n]
        gx, gy, gz = 0.0, 0.0, 0.0
        for level in range(resolutions.shape[0]):
            r, size, first = resolutions[level], sizes[level], first_rows[level]
            scale, shift = scales[level], shifts[level]
            column = level * channels
            i, fx = _cell(points[n, 0], r, scale, shift)
            j, fy = _cell(points[n, 1], r, scale, shift)
            k, fz = _cell(points[n, 2], r, scale, shift)
            for a in range(2):
                wx = fx if a else 1.0 - fx
                sign_x = 1.0 if a else -1.0
                for b in range(2):
                    wy = fy if b else 1.0 - fy
                    sign_y = 1.0 if b else -1.0
                    low_row = first + _row(i + a, j + b, k, r, size)
                    high_row = first + _row(i + a, j + b, k + 1, r, size)
                    low, high = 0.0, 0.0
                    for c in range(channels):
                        value = gradient[n, column + c]
                        low += value * tables[frame, low_row, c]
                        high += value * tables[frame, high_row, c]
                    along = low * (1.0 - fz) + high * fz
                    gx += sign_x * wy * along * scale
                    gy += sign_y * wx * along * scale
                    gz += wx * wy * (high - low) * scale
        point_grad[n, 0] = gx if 0.0 <= points[n, 0] <= 1.0 else 0.0
        point_grad[n, 1] = gy if 0.0 <= points[n, 1] <= 1.0 else 0.0
        point_grad[n, 2] = gz if 0.0 <= points[n, 2] <= 1.0 else 0.0
