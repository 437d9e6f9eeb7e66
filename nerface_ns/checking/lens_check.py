"""Is the lens right? Decided by the steadiest of the points that the pictures show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from nerface_ns.checking.finding import Finding
from nerface_ns.checking.observed_points import ObservedPoints
from nerface_ns.checking.triangulation import misfit, project, triangulate

MEASURED_GAIN = 0.4
"""A lens is called wrong when the best one makes the misfit smaller by this part. A face box moves over the face as it
turns, which alone makes a wrong lens fit better by 26 % (head_a) or 9 % (adnerf_obama); eyes and landmarks do not."""

EXACT_FIT = 0.005
"""A misfit below this part of the image's height leaves nothing for another lens to explain."""

RIGID = 1.5
"""Points that scatter less than this many times as much as the steadiest one decide about the lens."""

LEAST_SHIFT, LEAST_FACTOR = 0.05, 1.2
"""Smallest error of the principal point, as a part of the width, and of the focal length that is reported."""

OFF_CENTRE = 0.1
"""A principal point farther from the middle, as a part of the image, is unusual."""

NUM_STEPS = 6
"""Gauss-Newton steps of a fit; three are enough on all data seen."""


def check_lens(observed: ObservedPoints | None) -> Finding:
    """Look for a principal point or focal length that would fit clearly better; the convention has to be right."""
    check = "lens"
    if observed is None:
        return Finding(check, "skip", "no landmarks and no face boxes to test the lens with")
    height, width = observed.image_size
    stored = observed.intrinsics_px[0]
    observed = steadiest(observed)
    own_px, front = misfit(observed.camera_to_world, observed.intrinsics_px, observed.points_px)
    if front <= 0.95:
        return Finding(check, "skip", "the camera convention has to be right first")
    center = _fit(observed, (2, 3))
    focal = _fit(observed, (0,))
    center_px, focal_px = (misfit(observed.camera_to_world, lens, observed.points_px)[0] for lens in (center, focal))
    shift = (center[0] - stored)[2:] / [width, height]
    factor = float(focal[0, 0] / stored[0])
    figures = {
        "misfit_px": round(own_px, 3),
        "best_principal_point_px": [round(float(value), 1) for value in center[0, 2:]],
        "misfit_there_px": round(center_px, 3),
        "best_focal_factor": round(factor, 3),
        "misfit_with_it_px": round(focal_px, 3),
    }
    limit = (1 - MEASURED_GAIN) * own_px if own_px > EXACT_FIT * height else 0.0
    is_center_off = center_px < limit and np.abs(shift).max() > LEAST_SHIFT
    is_focal_off = focal_px < limit and max(factor, 1 / factor) > LEAST_FACTOR
    told = f"fx {stored[0]:.1f}, principal point ({stored[2]:.1f}, {stored[3]:.1f}) of {width}x{height}"
    if is_center_off and (center_px <= focal_px or not is_focal_off):
        better = f"({center[0, 2]:.0f}, {center[0, 3]:.0f})"
        detail = f"{told}: {better} would bring the misfit from {own_px:.1f} to {center_px:.1f} px"
        return Finding(check, "fail", detail, "correct cx, cy", "principal-point", figures)
    if is_focal_off:
        better = f"{factor:.2f} times the focal length"
        detail = f"{told}: {better} would bring the misfit from {own_px:.1f} to {focal_px:.1f} px"
        return Finding(check, "fail", detail, "correct the focal length", "focal-length", figures)
    if np.abs(stored[2:] / [width, height] - 0.5).max() > OFF_CENTRE:
        detail = f"{told} is far from the middle, which only a cropped picture has"
        return Finding(check, "warn", detail, "check cx, cy", "off-centre", figures)
    return Finding(check, "ok", f"{told}; no other would fit clearly better", figures=figures)


def steadiest(observed: ObservedPoints) -> ObservedPoints:
    """The points that move least over the head, judged after a fit that takes a wrong principal point out."""
    for _ in range(2):
        left = _residual(observed, _fit(observed, (2, 3))).reshape(observed.points_px.shape)
        scatter = np.sqrt((left**2).mean(axis=(0, 2)))
        kept = scatter <= RIGID * scatter.min()
        observed = replace(observed, points_px=observed.points_px[:, kept])
    return observed


def _fit(observed: ObservedPoints, columns: tuple[int, ...]) -> Float[np.ndarray, "frames 4"]:
    """Intrinsics after fitting some of them for all frames together; column 0 stands for both focal lengths."""
    intrinsics = observed.intrinsics_px.copy()
    for _ in range(NUM_STEPS):
        now = _residual(observed, intrinsics)
        jacobian = []
        for column in columns:
            moved = intrinsics.copy()
            if column == 0:
                moved[:, :2] *= 1.01
            else:
                moved[:, column] += 1
            jacobian.append(_residual(observed, moved) - now)
        step = np.linalg.lstsq(np.stack(jacobian, axis=1), -now, rcond=None)[0]
        for column, size in zip(columns, step):
            if column == 0:
                intrinsics[:, :2] *= np.clip(1.01**size, 0.7, 1.4)
            else:
                intrinsics[:, column] += size
    return intrinsics


def _residual(observed: ObservedPoints, intrinsics: Float[np.ndarray, "frames 4"]) -> Float[np.ndarray, " values"]:
    """How far triangulated points are from where they are seen, all coordinates in a row."""
    points = triangulate(observed.camera_to_world, intrinsics, observed.points_px)
    return (project(points, observed.camera_to_world, intrinsics)[0] - observed.points_px).ravel()
