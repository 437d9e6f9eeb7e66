"""ARKit-style expression dimensions of the demo head and how they move its vertices.

"Left" is the person's left, +x in the head frame. Coefficients run from 0 to 1. Every dimension adds a fixed offset
per vertex, except the eyelids: each lid's offset is scaled by one clipped closure that several dimensions share.
"""

from __future__ import annotations

import numpy as np

from nerface_ns.synthetic.head_sculpt import EYE_X, MOUTH_HALF_WIDTH, mouth_slit_profile
from nerface_ns.synthetic.head_skin import HeadSkin
from nerface_ns.synthetic.noise import gaussian, smoothstep

_SIDES = ("Left", "Right")
EXPRESSION_NAMES: tuple[str, ...] = (
    *("jawOpen", "jawLeft", "jawRight", "mouthPucker", "mouthFunnel", "cheekPuff", "browInnerUp"),
    *(
        f"{name}{side}"
        for name in ("mouthSmile", "mouthFrown", "browDown", "browOuterUp", "eyeBlink", "eyeWide", "eyeSquint")
        for side in _SIDES
    ),
    *(f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out") for side in _SIDES),
)
"""Order of the coefficients in every frame."""
GAZE_PITCH_LIMIT, GAZE_YAW_LIMIT = np.radians(22.0), np.radians(32.0)
"""Gaze at eyeLook* = 1, radians."""
JAW_HINGE = np.array([0.0, -0.004, 0.004])
JAW_OPEN_ANGLE, JAW_GLIDE, JAW_SIDE_SHIFT = np.radians(17.0), 0.0090, 0.0095
"""Jaw rotation and forward glide (metres) at jawOpen = 1, sideways shift (metres) at jawLeft = 1."""

Deltas = dict[str, np.ndarray]


def expression_index(name: str) -> int:
    """Position of a named dimension in an expression vector."""
    return EXPRESSION_NAMES.index(name)


def set_gaze(expression: np.ndarray, pitch: float, yaw: float) -> None:
    """Write the eyeLook* coefficients of both eyes for a gaze in radians: pitch up, yaw towards +x, in place."""
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        values = {"Up": pitch / GAZE_PITCH_LIMIT, "Down": -pitch / GAZE_PITCH_LIMIT}
        values |= {"Out": sign * yaw / GAZE_YAW_LIMIT, "In": -sign * yaw / GAZE_YAW_LIMIT}
        for way, value in values.items():
            expression[expression_index(f"eyeLook{way}{side}")] = np.clip(value, 0.0, 1.0)


def eye_gaze(expression: np.ndarray) -> np.ndarray:
    """Gaze (2 eyes: left, right; pitch up, yaw towards +x) in radians that the eyeLook* coefficients mean."""
    result = np.zeros((2, 2))
    for eye, (side, sign) in enumerate((("Left", 1.0), ("Right", -1.0))):
        up, down, inward, outward = (
            expression[expression_index(f"eyeLook{way}{side}")] for way in ("Up", "Down", "In", "Out")
        )
        result[eye] = (up - down) * GAZE_PITCH_LIMIT, sign * (outward - inward) * GAZE_YAW_LIMIT
    return result


def lid_closure(expression: np.ndarray) -> np.ndarray:
    """How far the left and the right lids are on their way from neutral (0) to closed (1); below 0 is wide open."""
    closure = []
    for side in _SIDES:
        blink, wide, squint, up, down = (
            expression[expression_index(f"{name}{side}")]
            for name in ("eyeBlink", "eyeWide", "eyeSquint", "eyeLookUp", "eyeLookDown")
        )
        closure.append(blink - 0.40 * wide + 0.38 * squint - 0.12 * up + 0.38 * down)
    return np.clip(closure, -0.45, 1.0)


def lid_deltas(skin: HeadSkin) -> np.ndarray:
    """(2, V, 3) movement of the skin from neutral to closed lids of the left and the right eye."""
    delta = (skin.closed_points - skin.points).reshape(-1, 3)
    left = skin.points.reshape(-1, 3)[:, :1] > 0
    return np.stack([delta * left, delta * ~left])


def jaw_deltas(points: np.ndarray, weight: np.ndarray) -> Deltas:
    """Movement of points that follow the jaw with a weight each, as offsets at coefficient 1."""
    sine, cosine = np.sin(JAW_OPEN_ANGLE), np.cos(JAW_OPEN_ANGLE)
    arm = points - JAW_HINGE
    y, z = arm[..., 1], arm[..., 2]
    turned = np.stack([0.0 * y, y * cosine - z * sine - y, y * sine + z * cosine - z + JAW_GLIDE], axis=-1)
    side = np.array([JAW_SIDE_SHIFT, 0.0, 0.0])
    weight = weight[..., None]
    return {"jawOpen": turned * weight, "jawLeft": side * weight, "jawRight": -side * weight}


def _jaw_weights(skin: HeadSkin) -> tuple[np.ndarray, np.ndarray]:
    """Share of the jaw's movement: with lips parted along their seam, and without."""
    points, height = skin.points, skin.mouth_height
    region = smoothstep(-0.040, 0.040, points[..., 2]) * smoothstep(13.2, 10.6, skin.row_knots)[:, None]
    joined = smoothstep(0.026, -0.026, height)
    split = mouth_slit_profile(points[..., 0]) * np.exp(-((height / 0.018) ** 2)) * (points[..., 2] > 0.02)
    parted = joined + split * np.where(skin.below_mouth, 1.0 - joined, -joined)
    return region * parted, region * joined


def skin_deltas(skin: HeadSkin) -> Deltas:
    """(V, 3) offset of every skin vertex at coefficient 1, for each dimension that moves skin linearly."""
    parted, joined = _jaw_weights(skin)
    deltas = jaw_deltas(skin.points, parted)
    shift = jaw_deltas(skin.points, joined)
    deltas |= {"jawLeft": shift["jawLeft"], "jawRight": shift["jawRight"]}
    deltas |= _mouth_deltas(skin)
    for sign, side in ((1.0, "Left"), (-1.0, "Right")):
        deltas |= {f"{name}{side}": delta for name, delta in _side_deltas(skin, sign).items()}
    brow = skin.closed_points
    x, y = np.abs(brow[..., 0]), brow[..., 1]
    lift = 0.0105 * gaussian((x - 0.010) / 0.016, (y - 0.052) / 0.016)
    deltas["browInnerUp"] = _offset(brow, 0, lift, -0.1 * lift)
    front = smoothstep(-0.040, 0.0, skin.points[..., 2:]) * smoothstep(13.5, 11.0, skin.row_knots)[:, None, None]
    return {name: (delta * front).reshape(-1, 3) for name, delta in deltas.items()}


def _offset(points: np.ndarray, dx: np.ndarray | float, dy: np.ndarray | float, dz: np.ndarray | float) -> np.ndarray:
    """Stack offsets that may be plain numbers into (..., 3)."""
    return np.stack(np.broadcast_arrays(dx + 0 * points[..., 0], dy, dz), axis=-1)


def _mouth_deltas(skin: HeadSkin) -> Deltas:
    """Pucker, funnel and puffed cheeks."""
    p, height = skin.points, skin.mouth_height
    x, ax = p[..., 0], np.abs(p[..., 0])
    around = gaussian(x / 0.031, height / 0.019)
    sign = np.where(skin.below_mouth, -1.0, 1.0)
    slit = mouth_slit_profile(x) * np.exp(-((height / 0.014) ** 2))
    lips = gaussian(x / 0.020, height / 0.011)
    puff = gaussian((ax - 0.042) / 0.017, (height - 0.008) / 0.021)
    return {
        "mouthPucker": _offset(p, -0.46 * x * around, 0.25 * height * lips, 0.0095 * lips + 0.003 * around),
        "mouthFunnel": _offset(p, -0.34 * x * around, sign * 0.0062 * slit, 0.0085 * lips + 0.002 * around),
        "cheekPuff": _offset(p, np.sign(x) * 0.0125 * puff, 0.0, 0.0095 * puff),
    }


def _side_deltas(skin: HeadSkin, side: float) -> Deltas:
    """Smile, frown, brows and squinting cheek of one side."""
    p, brow, height = skin.points, skin.closed_points, skin.mouth_height
    x = side * p[..., 0]
    half = smoothstep(-0.004, 0.010, x)
    corner = gaussian((x - MOUTH_HALF_WIDTH - 0.001) / 0.0155, height / 0.017)
    cheek = gaussian((x - 0.041) / 0.016, (p[..., 1] + 0.008) / 0.015)
    wide = gaussian((x - 0.012) / 0.012, height / 0.012) * half
    boss = gaussian((x - 0.006) / 0.014, (p[..., 1] + 0.078) / 0.010)
    bx, by = side * brow[..., 0], brow[..., 1]
    down = gaussian((bx - 0.020) / 0.019, (by - 0.049) / 0.013) * smoothstep(-0.002, 0.006, bx)
    outer = gaussian((bx - 0.044) / 0.017, (by - 0.050) / 0.015)
    return {
        "mouthSmile": _offset(
            p,
            side * (0.0085 * corner + 0.0025 * wide + 0.0015 * cheek),
            0.0125 * corner + 0.0012 * wide + 0.0050 * cheek,
            -0.0050 * corner - 0.0010 * wide + 0.0048 * cheek,
        ),
        "mouthFrown": _offset(
            p, side * -0.001 * corner, -0.0120 * corner + 0.0030 * wide + 0.0030 * boss, -0.002 * corner + 0.003 * boss
        ),
        "browDown": _offset(brow, side * -0.0040 * down, -0.0072 * down, 0.0022 * down),
        "browOuterUp": _offset(brow, 0.0, 0.0100 * outer, -0.0012 * outer),
        "eyeSquint": _offset(
            p, 0.0, 0.0042 * gaussian((x - EYE_X) / 0.018, (p[..., 1] - 0.010) / 0.010), 0.0018 * cheek
        ),
    }
