"""Which coefficient of a driver means which coefficient of a person, told by their names.

Names are compared without regard to case, separators and where the side is said: `mouthSmile_L`, `mouthSmileLeft`,
`MouthSmile_Left`, `left_mouth_smile` and `blendShape1.mouthSmile_l` are one. A coefficient that one of the two has for
each side and the other has once, such as ARKit's `browInnerUp` and ICT-FaceKit's `browInnerUp_L` and `browInnerUp_R`,
is matched too. Faceshift's names are known under ARKit's, which replaced them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_PLACEHOLDER = re.compile(r"expression_\d+")
FACESHIFT_NAMES = {
    **{"browsd": "browdown", "browsuc": "browinnerup", "browsu": "browouterup"},
    **{"eyedown": "eyelookdown", "eyein": "eyelookin", "eyeout": "eyelookout", "eyeup": "eyelookup"},
    **{"eyeopen": "eyewide", "jawfwd": "jawforward", "sneer": "nosesneer", "puff": "cheekpuff"},
    **{"lipsstretch": "mouthstretch", "lipsfunnel": "mouthfunnel", "lipspucker": "mouthpucker"},
    **{"lipsupperclose": "mouthrollupper", "lipslowerclose": "mouthrolllower"},
    **{"lipsupperup": "mouthupperup", "lipslowerdown": "mouthlowerdown"},
    **{"chinupperraise": "mouthshrugupper", "chinlowerraise": "mouthshruglower"},
}
"""ARKit's word for each of Faceshift's, sides left out."""


def canonical_name(name: str) -> str:
    """Return the spelling that all variants of a coefficient's name share: "mouthsmile_left", "jawopen".

    A direction counts as a side: ARKit's `jawLeft` is "jaw_left".
    """
    last = re.split(r"[:|]", name)[-1]
    if "." in last and last.rsplit(".", 1)[1].lower() not in _SIDES:
        last = last.rsplit(".", 1)[1]
    words = [word.lower() for word in _WORD.findall(last)]
    side = ""
    # A lone letter is a side at an end only; the whole word is one anywhere.
    for place in (-1, 0, *range(1, len(words) - 1)):
        if len(words) > 1 and words[place] in _SIDES and (place in (-1, 0) or len(words[place]) > 1):
            side = _SIDES[words.pop(place)]
            break
    base = "".join(words)
    for ending in ("left", "right"):
        if not side and base.endswith(ending) and base != ending:
            side, base = ending, base[: -len(ending)]
    base = FACESHIFT_NAMES.get(base, base)
    return f"{base}_{side}" if side else base


def placeholder_names(count: int) -> tuple[str, ...]:
    """Return the names that stand for coefficients without any: "expression_00", "expression_01", ..."""
    return tuple(f"expression_{index:02d}" for index in range(count))


def are_placeholders(names: Sequence[str]) -> bool:
    """Whether names say nothing: there are none, or they are those of `placeholder_names`."""
    return all(_PLACEHOLDER.fullmatch(name) for name in names)


def match_matrix(
    driver_names: Sequence[str], target_names: Sequence[str]
) -> Float[np.ndarray, "num_target num_driver"]:
    """Return the share that each of a driver's coefficients has in each of a person's.

    A row is all 0 for a coefficient without a counterpart; else it holds a single 1, or two halves where the driver
    has both sides of what the person has once. Equal spelling goes before equal meaning.
    """
    exact = {name: column for column, name in reversed(list(enumerate(driver_names)))}
    by_meaning = {canonical_name(name): column for column, name in reversed(list(enumerate(driver_names)))}
    weights = np.zeros((len(target_names), len(driver_names)))
    for row, name in enumerate(target_names):
        meaning = canonical_name(name)
        base, _, side = meaning.rpartition("_")
        left, right = (by_meaning.get(f"{meaning}_{each}") for each in ("left", "right"))
        column = exact.get(name, by_meaning.get(meaning))
        if column is None and side in ("left", "right"):
            column = by_meaning.get(base)
        if column is not None:
            weights[row, column] = 1.0
        elif left is not None and right is not None:
            weights[row, [left, right]] = 0.5
    return weights


def match_names(driver_names: Sequence[str], target_names: Sequence[str]) -> Int[np.ndarray, " num_target"]:
    """Return the driver's coefficient for each of a person's, the left one where there are two; -1 without any."""
    weights = match_matrix(driver_names, target_names)
    if not weights.size:
        return np.full(len(target_names), -1)
    return np.where(weights.any(axis=1), weights.argmax(axis=1), -1)
