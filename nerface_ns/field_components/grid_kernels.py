"""Compiled CPU loops behind `FeatureGrid`: trilinear lookup in several dense grids and its two derivatives.

All kernels take points in [0, 1]^3 (outside is clamped), a table that holds the grids one after the other with z
fastest, each grid's first row and its number of vertices along an axis.
"""

from __future__ import annotations

import numba

from nerface_ns.field_components.cpu_kernels import inner_kernel, parallel_kernel


@inner_kernel
def _cell(coordinate, resolution):
    scaled = min(max(coordinate, 0.0), 1.0) * (resolution - 1)
    index = max(min(int(scaled), resolution - 2), 0)  # a coordinate that is NaN has to stay in the table too
    return index, scaled - index


@parallel_kernel
def lookup(points, table, first_rows, resolutions, features):
    """Fill features (num_points, num_levels * channels)."""
    channels = table.shape[1]
    for n in numba.prange(points.shape[0]):
        for level in range(resolutions.shape[0]):
            r = resolutions[level]
            column = level * channels
            i, fx = _cell(points[n, 0], r)
            j, fy = _cell(points[n, 1], r)
            k, fz = _cell(points[n, 2], r)
            for c in range(channels):
                features[n, column + c] = 0.0
            for a in range(2):
                wx = fx if a else 1.0 - fx
                for b in range(2):
                    wxy = wx * (fy if b else 1.0 - fy)
                    row = first_rows[level] + ((i + a) * r + j + b) * r + k
                    low, high = wxy * (1.0 - fz), wxy * fz
                    for c in range(channels):
                        features[n, column + c] += low * table[row, c] + high * table[row + 1, c]


@parallel_kernel
def table_gradient(points, gradient, first_rows, resolutions, table_grad):
    """Add the gradient of the features to that of the table.

    Threads share the work by level and half of the channels, so no two write to one number and sums have one order.
    """
    channels = table_grad.shape[1]
    halves = 2 if channels % 2 == 0 else 1
    width = channels // halves
    levels = resolutions.shape[0]
    for task in numba.prange(levels * halves):
        level = levels - 1 - task // halves
        start = (task % halves) * width
        r = resolutions[level]
        column = level * channels
        for n in range(points.shape[0]):
            i, fx = _cell(points[n, 0], r)
            j, fy = _cell(points[n, 1], r)
            k, fz = _cell(points[n, 2], r)
            for a in range(2):
                wx = fx if a else 1.0 - fx
                for b in range(2):
                    wxy = wx * (fy if b else 1.0 - fy)
                    row = first_rows[level] + ((i + a) * r + j + b) * r + k
                    low, high = wxy * (1.0 - fz), wxy * fz
                    for c in range(start, start + width):
                        value = gradient[n, column + c]
                        table_grad[row, c] += low * value
                        table_grad[row + 1, c] += high * value


@parallel_kernel
def point_gradient(points, gradient, table, first_rows, resolutions, point_grad):
    """Fill the gradient of the points (num_points, 3); it is zero along an axis on which a point was clamped."""
    channels = table.shape[1]
    for n in numba.prange(points.shape[0]):
        gx, gy, gz = 0.0, 0.0, 0.0
        for level in range(resolutions.shape[0]):
            r = resolutions[level]
            column = level * channels
            i, fx = _cell(points[n, 0], r)
            j, fy = _cell(points[n, 1], r)
            k, fz = _cell(points[n, 2], r)
            for a in range(2):
                wx = fx if a else 1.0 - fx
                sign_x = 1.0 if a else -1.0
                for b in range(2):
                    wy = fy if b else 1.0 - fy
                    sign_y = 1.0 if b else -1.0
                    row = first_rows[level] + ((i + a) * r + j + b) * r + k
                    low, high = 0.0, 0.0
                    for c in range(channels):
                        value = gradient[n, column + c]
                        low += value * table[row, c]
                        high += value * table[row + 1, c]
                    along = low * (1.0 - fz) + high * fz
                    gx += sign_x * wy * along * (r - 1)
                    gy += sign_y * wx * along * (r - 1)
                    gz += wx * wy * (high - low) * (r - 1)
        point_grad[n, 0] = gx if 0.0 <= points[n, 0] <= 1.0 else 0.0
        point_grad[n, 1] = gy if 0.0 <= points[n, 1] <= 1.0 else 0.0
        point_grad[n, 2] = gz if 0.0 <= points[n, 2] <= 1.0 else 0.0
