"""Z-buffer rasteriser and shading kernels (numba, single-threaded, without the interpreter lock)."""

from __future__ import annotations

import numpy as np

from nerface_ns.synthetic.compile_kernel import compiled

NEAR_PLANE = 1e-3
"""Triangles with a vertex nearer than this (world units) are left out."""


@compiled
def rasterize(pixels: np.ndarray, depths: np.ndarray, triangles: np.ndarray, height: int, width: int) -> tuple:
    """Find the nearest triangle at every sample of a raster.

    Args:
        pixels: (V, 2) column and row of each vertex; sample (row r, column c) lies at exactly (c, r).
        depths: (V,) distance along the viewing axis, positive in front of the camera.
        triangles: (T, 3), either orientation.

    Returns:
        (height, width) depth (inf where empty) and (height, width) triangle number (-1 where empty).
    """
    depth = np.full((height, width), np.inf, dtype=np.float64)
    owner = np.full((height, width), -1, dtype=np.int32)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if min(depths[a], depths[b], depths[c]) < NEAR_PLANE:
            continue
        ax, ay = pixels[a, 0], pixels[a, 1]
        bx, by = pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        left, right = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(np.floor(max(ax, bx, cx))), width - 1)
        top, bottom = max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), height - 1)
        za, zb, zc = 1.0 / depths[a], 1.0 / depths[b], 1.0 / depths[c]
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                wb = ((column - ax) * (cy - ay) - (row - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (row - ay) - (by - ay) * (column - ax)) / area
                wa = 1.0 - wb - wc
                if wa < -1e-9 or wb < -1e-9 or wc < -1e-9:
                    continue
                z = 1.0 / (wa * za + wb * zb + wc * zc)
                if z < depth[row, column]:
                    depth[row, column] = z
                    owner[row, column] = t
    return depth, owner


@compiled
def vertex_normals(points: np.ndarray, triangles: np.ndarray, weld: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3); vertices with one `weld` target share theirs."""
    sums = np.zeros_like(points)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in range(3):
            v = weld[triangles[t, k]]
            sums[v, 0] += nx
            sums[v, 1] += ny
            sums[v, 2] += nz
    normals = np.zeros_like(points)
    for v in range(points.shape[0]):
        w = weld[v]
        length = np.sqrt(sums[w, 0] ** 2 + sums[w, 1] ** 2 + sums[w, 2] ** 2) + 1e-20
        for k in range(3):
            normals[v, k] = sums[w, k] / length
    return normals


@compiled
def _texel(texture: np.ndarray, u: float, v: float, channel: int) -> float:
    """Bilinear texture value; u, v in [0, 1] span the centres of the outermost texels."""
    x, y = u * (texture.shape[1] - 1), v * (texture.shape[0] - 1)
    column = min(max(int(x), 0), texture.shape[1] - 2)
    row = min(max(int(y), 0), texture.shape[0] - 2)
    fx, fy = x - column, y - row
    upper = texture[row, column, channel] * (1 - fx) + texture[row, column + 1, channel] * fx
    lower = texture[row + 1, column, channel] * (1 - fx) + texture[row + 1, column + 1, channel] * fx
    return upper * (1 - fy) + lower * fy


@compiled
def shade(owner, pixels, points, normals, attributes, triangles, materials, texture, light_table, samples):
    """Shade a supersampled raster and average it down.

    Args:
        owner: (S*H, S*W) triangle numbers from `rasterize`.
        pixels: (V, 2) as for `rasterize`; points, normals: (V, 3) camera frame; attributes: (V, 4).
        light_table: Rows: key direction, fill direction, [key, fill, ambient strength], wrap per colour channel.
        samples: S, raster samples per pixel side.

    Returns:
        (H, W, 3) premultiplied sRGB in [0, 1] and (H, W) coverage.
    """
    height, width = owner.shape[0] // samples, owner.shape[1] // samples
    image, coverage = np.zeros((height, width, 3)), np.zeros((height, width))
    value, color = np.zeros(10), np.zeros(4)
    share = 1.0 / (samples * samples)
    for row in range(height * samples):
        for column in range(width * samples):
            t = owner[row, column]
            if t < 0:
                continue
            _interpolate(value, t, row, column, pixels, points, normals, attributes, triangles)
            _material_color(color, value, materials[t], texture)
            backside = value[3] * value[0] + value[4] * value[1] + value[5] * value[2] > 0.0
            pixel = image[row // samples, column // samples]
            _light(pixel, color, value, materials[t], backside, light_table, share)
            coverage[row // samples, column // samples] += share
    return image, coverage


@compiled
def _interpolate(value, t, row, column, pixels, points, normals, attributes, triangles):
    """Perspective-correct point, normal and attributes at a sample, written to `value` (10,)."""
    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    ax, ay, bx, by, cx, cy = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1], pixels[c, 0], pixels[c, 1]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    wb = ((column - ax) * (cy - ay) - (row - ay) * (cx - ax)) / area
    wc = ((bx - ax) * (row - ay) - (by - ay) * (column - ax)) / area
    wa = (1.0 - wb - wc) / points[a, 2]
    wb /= points[b, 2]
    wc /= points[c, 2]
    total = wa + wb + wc
    wa, wb, wc = wa / total, wb / total, wc / total
    for k in range(3):
        value[k] = wa * points[a, k] + wb * points[b, k] + wc * points[c, k]
        value[3 + k] = wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k]
    for k in range(4):
        value[6 + k] = wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]
    length = np.sqrt(value[3] ** 2 + value[4] ** 2 + value[5] ** 2) + 1e-20
    for k in range(3):
        value[3 + k] /= length


@compiled
def _material_color(color, value, material, texture):
    """Albedo and highlight strength of a sample, written to `color` (4,)."""
    for k in range(4):
        color[k] = _texel(texture, value[6], value[7], k) if material == 0 else value[6 + k]


@compiled
def _light(pixel, color, value, material, backside, light_table, share):
    """Add a lit, sRGB-encoded sample to `pixel`: ambient, wrapped key and fill light, and the key's highlight."""
    if backside and material == 0:
        pixel += share * 0.10 * np.array([1.0, 0.55, 0.5])
        return
    sign = -1.0 if backside else 1.0
    nx, ny, nz = sign * value[3], sign * value[4], sign * value[5]
    key = nx * light_table[0, 0] + ny * light_table[0, 1] + nz * light_table[0, 2]
    fill = nx * light_table[1, 0] + ny * light_table[1, 1] + nz * light_table[1, 2]
    distance = np.sqrt(value[0] ** 2 + value[1] ** 2 + value[2] ** 2)
    hx = light_table[0, 0] - value[0] / distance
    hy = light_table[0, 1] - value[1] / distance
    hz = light_table[0, 2] - value[2] / distance
    facing = max((nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz), 0.0)
    gloss = color[3] * (facing**90.0 * 2.0 if material == 2 else facing**16.0) if key > 0 else 0.0
    ambient = light_table[2, 2] * (1.0 - 0.22 * ny)
    occlusion = value[8] if material == 0 else 1.0
    for k in range(3):
        wrap = light_table[3, k] if material < 2 else 0.15
        lit = light_table[2, 0] * max((key + wrap) / (1.0 + wrap), 0.0)
        lit += light_table[2, 1] * max((fill + wrap) / (1.0 + wrap), 0.0)
        linear = min(max(color[k] * (ambient + lit) * occlusion + gloss * (0.35 + 0.65 * occlusion), 0.0), 1.0)
        encoded = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1.0 / 2.4) - 0.055
        pixel[k] += share * encoded
