"""Compiled CPU loops over rays: grid traversal, visibility and compositing weights of packed samples.

`first_sample` has num_rays + 1 entries: the samples of ray r are first_sample[r] .. first_sample[r + 1] - 1.
"""

from __future__ import annotations

import numba
import numpy as np

from nerface_ns.field_components.cpu_kernels import inner_kernel, parallel_kernel

WORD = 64
"""Intervals whose marks one number holds."""


@inner_kernel
def _march(origin, direction, near, far, step, occupied, low, cells, marks):
    """Mark the kept intervals of one ray; return the number of the first one looked at, and how many are kept.

    Bit b of marks[w] stands for the interval w * WORD + b behind the first.
    """
    shape = occupied.shape
    marks[:] = 0
    enter, leave = near, far
    for axis in range(3):
        high = low[axis] + shape[axis] / cells[axis]
        if abs(direction[axis]) < 1e-12:
            if origin[axis] < low[axis] or origin[axis] > high:
                return 0, 0
        else:
            a = (low[axis] - origin[axis]) / direction[axis]
            b = (high - origin[axis]) / direction[axis]
            enter = max(enter, min(a, b))
            leave = min(leave, max(a, b))
    count = 0
    first = max(int(np.ceil((enter - near) / step - 0.5)), 0)
    index = first
    middle = near + (index + 0.5) * step
    while middle < leave:
        i = int((origin[0] + middle * direction[0] - low[0]) * cells[0])
        j = int((origin[1] + middle * direction[1] - low[1]) * cells[1])
        k = int((origin[2] + middle * direction[2] - low[2]) * cells[2])
        i, j, k = min(max(i, 0), shape[0] - 1), min(max(j, 0), shape[1] - 1), min(max(k, 0), shape[2] - 1)
        if occupied[i, j, k]:
            place = index - first
            marks[place // WORD] |= np.uint64(1) << np.uint64(place % WORD)
            count += 1
        index += 1
        middle = near + (index + 0.5) * step
    return first, count


@parallel_kernel
def mark_samples(origins, directions, nears, fars, step, occupied, low, cells, marks, firsts, counts):
    """Fill marks (num_rays, num_words), firsts and counts (num_rays,), as `_march` gives them.

    `cells` is the number of cells per unit of length along each axis; the words must hold every interval in the box.
    """
    for r in numba.prange(origins.shape[0]):
        first, count = _march(origins[r], directions[r], nears[r], fars[r], step, occupied, low, cells, marks[r])
        firsts[r], counts[r] = first, count


@parallel_kernel
def list_samples(nears, step, marks, firsts, first_sample, starts, ray_indices):
    """Fill starts and ray_indices, both of first_sample[-1] entries, from the marks."""
    for r in numba.prange(nears.shape[0]):
        n = first_sample[r]
        if first_sample[r + 1] > n:
            for w in range(marks.shape[1]):
                word = marks[r, w]
                index = firsts[r] + w * WORD
                while word != 0:
                    if word & np.uint64(1):
                        starts[n] = nears[r] + index * step
                        ray_indices[n] = r
                        n += 1
                    word >>= np.uint64(1)
                    index += 1


@parallel_kernel
def list_segment(first_sample, transmittance, skip, length, early_stop_eps, ends, listed):
    """Number the next `length` samples, after `skip`, of every ray that light still passes.

    `ends` holds, going in, the running sum of how many each ray lists.
    """
    for r in numba.prange(transmittance.shape[0]):
        if transmittance[r] >= early_stop_eps:
            first = first_sample[r] + skip
            end = min(first + length, first_sample[r + 1])
            start = ends[r] - max(end - first, 0)
            for n in range(first, end):
                listed[start + n - first] = n


@parallel_kernel
def mark_visible(densities, t_starts, t_ends, listed, ends, transmittance, early_stop_eps, alpha_thre, visible):
    """Mark the listed samples that nerfacc would keep, and carry each ray's transmittance on."""
    for r in numba.prange(transmittance.shape[0]):
        light = transmittance[r]
        for q in range(ends[r - 1] if r > 0 else 0, ends[r]):
            n = listed[q]
            alpha = 1.0 - np.exp(-densities[q] * (t_ends[n] - t_starts[n]))
            visible[n] = (light >= early_stop_eps) and (alpha >= alpha_thre)
            light *= 1.0 - alpha
        transmittance[r] = light


@parallel_kernel
def weights(densities, t_starts, t_ends, first_sample, out):
    """Fill w_i = T_i (1 - exp(-density_i * length_i)), T_i the product of the exponentials before i."""
    for r in numba.prange(first_sample.shape[0] - 1):
        light = 1.0
        for n in range(first_sample[r], first_sample[r + 1]):
            passed = np.exp(-densities[n] * (t_ends[n] - t_starts[n]))
            out[n] = light * (1.0 - passed)
            light *= passed


@parallel_kernel
def weights_gradient(densities, t_starts, t_ends, first_sample, out, gradient, density_grad):
    """Fill dL/d density_i = length_i (g_i T_(i+1) - sum over j > i of g_j w_j)."""
    for r in numba.prange(first_sample.shape[0] - 1):
        behind = 0.0
        for n in range(first_sample[r], first_sample[r + 1]):
            behind += gradient[n] * out[n]
        light = 1.0
        for n in range(first_sample[r], first_sample[r + 1]):
            length = t_ends[n] - t_starts[n]
            behind -= gradient[n] * out[n]
            light *= np.exp(-densities[n] * length)
            density_grad[n] = length * (gradient[n] * light - behind)
