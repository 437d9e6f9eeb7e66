"""Who the demo head is: the first person is as sculpted and painted, the others differ in shape and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerface_ns.synthetic.head_sculpt import EYE_X, EYE_Y
from nerface_ns.synthetic.mesh_part import srgb_to_linear
from nerface_ns.synthetic.noise import gaussian, smoothstep

Color = tuple[int, int, int]


@dataclass(frozen=True)
class DemoPerson:
    """Colours (8-bit sRGB) and how the sculpted head is bent; the defaults are the first person's."""

    skin: Color = (226, 176, 150)
    """Skin, without flush."""
    flush: Color = (206, 116, 100)
    """Cheeks, nose and chin."""
    lip: Color = (186, 100, 94)
    """Lips."""
    hair_dark: Color = (52, 34, 24)
    """Darkest strands."""
    hair_light: Color = (124, 84, 54)
    """Lightest strands."""
    brow: Color = (66, 44, 32)
    """Brows."""
    iris: Color = (92, 128, 122)
    """Iris at its edge."""
    jumper: Color = (38, 84, 104)
    """Jumper."""
    stripe: Color = (226, 214, 190)
    """Its stripes."""
    width: float = 1.0
    """Width of cheeks and jaw, relative."""
    chin: float = 0.0
    """How much lower the chin is, metres."""
    nose: float = 0.0
    """How much further the nose comes forward, metres."""
    crown: float = 0.0
    """How much higher the hair stands, metres."""

    @property
    def tint(self) -> np.ndarray:
        """(3,) factor on the linear colours of what is painted for the first person's skin."""
        own, first = (srgb_to_linear(np.array(color) / 255.0) for color in (self.skin, DEMO_PEOPLE[0].skin))
        return own / first

    def shaped(self, points: np.ndarray) -> np.ndarray:
        """Bend neutral points (..., 3), metres, head frame; the eyes stay, because lids are fitted to them."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        # The jumper, and with it the neck's lower end, is everybody's.
        free = smoothstep(-0.135, -0.095, y) * (1 - gaussian((np.abs(x) - EYE_X) / 0.022, (y - EYE_Y) / 0.016))
        low = smoothstep(0.035, -0.030, y)
        dx = (self.width - 1) * x * low
        dy = -self.chin * smoothstep(-0.020, -0.075, y) * smoothstep(-0.03, 0.03, z)
        dy = dy + self.crown * smoothstep(0.070, 0.115, y)
        dz = self.nose * gaussian(x / 0.014, (y + 0.012) / 0.018) * smoothstep(0.05, 0.075, z)
        return points + free[..., None] * np.stack([dx, dy, dz], axis=-1)


DEMO_PEOPLE = (
    DemoPerson(),
    DemoPerson(
        skin=(142, 94, 68),
        flush=(136, 66, 54),
        lip=(128, 62, 60),
        hair_dark=(16, 13, 12),
        hair_light=(44, 36, 32),
        brow=(24, 18, 16),
        iris=(72, 46, 28),
        jumper=(150, 44, 40),
        stripe=(60, 20, 24),
        width=1.13,
        nose=-0.004,
        crown=0.012,
    ),
    DemoPerson(
        skin=(240, 204, 188),
        flush=(226, 140, 128),
        lip=(200, 96, 104),
        hair_dark=(150, 104, 50),
        hair_light=(222, 184, 116),
        brow=(150, 112, 72),
        iris=(90, 124, 168),
        jumper=(66, 92, 52),
        stripe=(212, 196, 92),
        width=0.92,
        chin=0.009,
        nose=0.004,
        crown=-0.004,
    ),
)
"""The people, by number."""
