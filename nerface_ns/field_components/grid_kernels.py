"""Compiled CPU loops behind `FeatureGrid`: trilinear lookup in several dense grids and its two derivatives.

All kernels take points in [0, 1]^3 (outside is clamped), a table that holds the grids one after the other with z
fastest, a tuple with one entry per channel, each grid's first row and its number of vertices along an axis. What the
tuple and the constants are for, `blended_kernels` says.
"""

from __future__ import annotations

import numba
import numpy as np

from nerface_ns.field_components.cpu_kernels import inner_kernel, parallel_kernel

ZERO, ONE = np.float32(0), np.float32(1)


@inner_kernel
def _cell(coordinate, resolution):
    scaled = min(max(coordinate, ZERO), ONE) * np.float32(resolution - 1)
    index = max(min(int(scaled), resolution - 2), 0)  # a coordinate that is NaN has to stay in the table too
    return index, scaled - np.float32(index)


@parallel_kernel
def lookup(points, table, lanes, first_rows, resolutions, features):
    """Fill features (num_points, num_levels * channels)."""
    channels = len(lanes)
    for n in numba.prange(points.shape[0]):
        for level in range(resolutions.shape[0]):
            r = resolutions[level]
            column = level * channels
            i, fx = _cell(points[n, 0], r)
            j, fy = _cell(points[n, 1], r)
            k, fz = _cell(points[n, 2], r)
            for c in range(channels):
                features[n, column + c] = ZERO
            for a in range(2):
                wx = fx if a else ONE - fx
                for b in range(2):
                    wxy = wx * (fy if b else ONE - fy)
                    row = first_rows[level] + ((i + a) * r + j + b) * r + k
                    low, high = wxy * (ONE - fz), wxy * fz
                    for c in range(channels):
                        features[n, column + c] += low * table[row, c] + high * table[row + 1, c]


def shared_lanes(lanes, num_levels):
    """Return the tuple for `table_gradient`: half of the channels where levels do not divide among the threads."""
    is_uneven = num_levels % numba.get_num_threads() != 0
    return lanes[::2] if is_uneven and len(lanes) % 2 == 0 else lanes


@parallel_kernel
def table_gradient(points, gradient, lanes, first_rows, resolutions, table_grad):
    """Add the gradient of the features to that of the table.

    Threads share the work by level and by as many channels as `lanes` has entries, a share of all, so no two write to
    one number and sums have one order.
    """
    channels, width = table_grad.shape[1], len(lanes)
    shares = channels // width
    levels = resolutions.shape[0]
    for task in numba.prange(levels * shares):
        level = levels - 1 - task // shares
        start = (task % shares) * width
        r = resolutions[level]
        column = level * channels
        for n in range(points.shape[0]):
            i, fx = _cell(points[n, 0], r)
            j, fy = _cell(points[n, 1], r)
            k, fz = _cell(points[n, 2], r)
            for a in range(2):
                wx = fx if a else ONE - fx
                for b in range(2):
                    wxy = wx * (fy if b else ONE - fy)
                    row = first_rows[level] + ((i + a) * r + j + b) * r + k
                    low, high = wxy * (ONE - fz), wxy * fz
                    for c in range(width):
                        table_grad[row, start + c] += low * gradient[n, column + start + c]
                    for c in range(width):
                        table_grad[row + 1, start + c] += high * gradient[n, column + start + c]


@parallel_kernel
def point_gradient(points, gradient, table, lanes, first_rows, resolutions, point_grad):
    """Fill the gradient of the points (num_points, 3); it is zero along an axis on which a point was clamped."""
    channels = len(lanes)
    for n in numba.prange(points.shape[0]):
        gx, gy, gz = ZERO, ZERO, ZERO
        for level in range(resolutions.shape[0]):
            r = resolutions[level]
            spacings = np.float32(r - 1)
            column = level * channels
            i, fx = _cell(points[n, 0], r)
            j, fy = _cell(points[n, 1], r)
            k, fz = _cell(points[n, 2], r)
            for a in range(2):
                wx = fx if a else ONE - fx
                sign_x = ONE if a else -ONE
                for b in range(2):
                    wy = fy if b else ONE - fy
                    sign_y = ONE if b else -ONE
                    row = first_rows[level] + ((i + a) * r + j + b) * r + k
                    low, high = ZERO, ZERO
                    for c in range(channels):
                        value = gradient[n, column + c]
                        low += value * table[row, c]
                        high += value * table[row + 1, c]
                    along = low * (ONE - fz) + high * fz
                    gx += sign_x * wy * along * spacings
                    gy += sign_y * wx * along * spacings
                    gz += wx * wy * (high - low) * spacings
        point_grad[n, 0] = gx if ZERO <= points[n, 0] <= ONE else ZERO
        point_grad[n, 1] = gy if ZERO <= points[n, 1] <= ONE else ZERO
        point_grad[n, 2] = gz if ZERO <= points[n, 2] <= ONE else ZERO
