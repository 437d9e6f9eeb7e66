"""Puts finished renders together with what stands around them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nerface_ns.rendering.extrapolation_bar import with_extrapolation_bar
from nerface_ns.rendering.picture_layout import PAPER, AnyPicture, Picture, beside, contact_sheet, titled
from nerface_ns.rendering.render_plan import RenderPlan
from nerface_ns.rendering.shot_renderer import ShotRenderer


def composed_frames(plan: RenderPlan, renderer: ShotRenderer, show_extrapolation: bool) -> Iterator[AnyPicture]:
    """Yield a plan's frames as they are written.

    Args:
        plan: The plan, all of whose shots are finished.
        renderer: Where the finished pictures are.
        show_extrapolation: Whether a bar under each tells how far it lies outside the trained range.
    """
    for index, picture in enumerate(renderer.read(plan.shots)):
        # Cut-out pictures stand alone: titles and neighbours are opaque.
        if not renderer.backdrop.is_transparent:
            if plan.shots[index].label:
                picture = titled(picture, plan.shots[index].label)
            if plan.beside is not None:
                picture = beside(plan.beside(index), picture, plan.titles)
        if show_extrapolation:
            picture = with_extrapolation_bar(picture, plan.extrapolation[index])
        yield picture


def composed_sheet(plan: RenderPlan, renderer: ShotRenderer, cell_px: int) -> Picture:
    """Lay out a plan's contact sheet."""
    rows = [[_opaque(picture) for picture in renderer.read(row)] for row in plan.sheet]
    titles = [[shot.label for shot in row] for row in plan.sheet]
    return contact_sheet(rows, titles, cell_px)


def _opaque(picture: AnyPicture) -> Picture:
    """Put a cut-out picture on the sheet's paper."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.float32) / 255
    return (picture[..., :3] * alpha + np.array(PAPER) * (1 - alpha)).round().astype(np.uint8)
