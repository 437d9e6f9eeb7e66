"""Settings of models as plain JSON: an enumerated list of names, and values checked by the fields' types.

Nothing from a file names a class, a module or a function; a name that is not in `KINDS` is refused.
"""

from __future__ import annotations

import dataclasses
import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.conditioning.identities import IdentitiesConfig
from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.field_components.blended_tables import BlendedTablesConfig
from nerface_ns.field_components.deformation import BilinearDeformationConfig, BlendedGridDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.field_components.gaze_stream import GazeStreamConfig
from nerface_ns.field_components.torso_frame import TorsoFrameConfig
from nerface_ns.fields.blendshape_field import BlendshapeFieldConfig
from nerface_ns.fields.gaze_field import GazeFieldConfig
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.fields.siren_field import SirenFieldConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.model_components.camera_refinement import CameraRefinementConfig
from nerface_ns.model_components.expression_corrections import ExpressionCorrectionsConfig
from nerface_ns.model_components.occupancy import FaceOccupancyGridConfig
from nerface_ns.model_components.refine_schedule import RefineScheduleConfig
from nerface_ns.model_components.staged_losses import StagedLossesConfig
from nerface_ns.models.blendshape_face_model import BlendshapeFaceModelConfig
from nerface_ns.models.gaze_face_model import GazeFaceModelConfig
from nerface_ns.models.gaze_region import GazeRegionConfig
from nerface_ns.models.initial_carving import CarvingConfig
from nerface_ns.models.occ_face_model import OccFaceModelConfig
from nerface_ns.models.paper_face_model import PaperFaceModelConfig

KINDS: dict[str, type] = {
    "background": BackgroundConfig,
    "bilinear-deformation": BilinearDeformationConfig,
    "blended-grid-deformation": BlendedGridDeformationConfig,
    "blended-tables": BlendedTablesConfig,
    "blendshape-face-model": BlendshapeFaceModelConfig,
    "blendshape-field": BlendshapeFieldConfig,
    "camera-refinement": CameraRefinementConfig,
    "carving": CarvingConfig,
    "expression-corrections": ExpressionCorrectionsConfig,
    "expression-encoding": ExpressionEncodingConfig,
    "feature-grid": FeatureGridConfig,
    "gaze-face-model": GazeFaceModelConfig,
    "gaze-field": GazeFieldConfig,
    "gaze-region": GazeRegionConfig,
    "gaze-stream": GazeStreamConfig,
    "identities": IdentitiesConfig,
    "latent-codes": LatentCodesConfig,
    "nerface-field": NeRFaceFieldConfig,
    "occ-face-model": OccFaceModelConfig,
    "occupancy-grid": FaceOccupancyGridConfig,
    "paper-face-model": PaperFaceModelConfig,
    "refine-schedule": RefineScheduleConfig,
    "siren-field": SirenFieldConfig,
    "staged-losses": StagedLossesConfig,
    "torso-frame": TorsoFrameConfig,
    "warped-grid-field": WarpedGridFieldConfig,
}
"""Every class of settings that an avatar may hold, by its name in the file."""
KIND = "kind"
"""Key of the name."""
MODELS = (OccFaceModelConfig, BlendshapeFaceModelConfig, GazeFaceModelConfig, PaperFaceModelConfig)
DEFORMATIONS = (BilinearDeformationConfig, BlendedGridDeformationConfig)
LEFT_OUT = {
    *("_target", "collider_params", "loss_coefficients", "prompt", "edit_locality"),
    *("stages", "surface_losses", "foveation"),
}
"""The class itself, fields of nerfstudio's that no model of this package reads, what only training knows, and how the
viewer looks at a model."""
MAX_INT, MAX_FLOAT, MAX_LENGTH = 4096, 1e9, 64
"""Largest size, number and list that any setting may have."""
LARGER = {
    "eval_num_rays_per_chunk": 1 << 20,
    **dict.fromkeys(("max_num_steps", "mask_until_step", "freeze_steps", "rest_steps", "refresh_steps"), 10**9),
    **dict.fromkeys(("code_frame", "num_views"), 10**7),
}
"""Whole numbers for which more is allowed: they cost nothing."""


@cache
def stored_fields(kind: type) -> dict[str, Any]:
    """Return a settings class's fields that are stored, with their types."""
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in dataclasses.fields(kind) if item.name not in LEFT_OUT}


def config_to_json(config: Any, where: str = "model") -> dict[str, Any]:
    """Return settings as JSON.

    Raises:
        ValueError: They are of a class that no avatar can hold, such as a plug-in's.
    """
    name = next((name for name, kind in KINDS.items() if type(config) is kind), None)
    if name is None:
        raise ValueError(
            f"{where}: expected settings of this package ({', '.join(KINDS)}), got {type(config).__name__}"
        )
    result: dict[str, Any] = {KIND: name}
    for field in dataclasses.fields(config):
        if field.name in LEFT_OUT:
            continue
        # A run from before a setting existed lacks it.
        missing = field.default_factory() if callable(field.default_factory) else field.default
        value = getattr(config, field.name, missing)
        if dataclasses.is_dataclass(value):
            value = config_to_json(value, f"{where}.{field.name}")
        result[field.name] = list(value) if isinstance(value, (tuple, list)) else value
    return result


def config_from_json(where: str, content: Any, allowed: tuple[type, ...] = MODELS) -> Any:
    """Return settings of JSON.

    Args:
        where: Names the place in messages.
        content: What the file says.
        allowed: Classes that may stand here.

    Raises:
        ValueError: Another class, a key too many or too few, or a value that the field does not take.
    """
    names = [name for name, kind in KINDS.items() if issubclass(kind, allowed)]
    name = content.get(KIND) if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"{where}: expected {KIND} {' or '.join(names)}, got {_short(name)}")
    kind = KINDS[name]
    fields = stored_fields(kind)
    odd = sorted(map(str, (content.keys() - {KIND}) ^ fields.keys()))
    if odd:
        raise ValueError(
            f"{where}: expected the {len(fields)} settings of {name}, got one too many or few: {odd[0][:60]!r}"
        )
    return kind(**{key: _value(f"{where}.{key}", key, content[key], hint) for key, hint in fields.items()})


def _value(where: str, key: str, value: Any, hint: Any) -> Any:
    """Return a value that fits a type."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _any_of(where, key, value, get_args(hint))
    if origin is Literal:
        if not isinstance(value, str) or value not in get_args(hint):
            raise ValueError(f"{where}: expected one of {get_args(hint)}, got {_short(value)}")
        return value
    if origin is tuple:
        return _tuple(where, key, value, get_args(hint))
    if dataclasses.is_dataclass(hint):
        kinds: tuple[Any, ...] = DEFORMATIONS if key == "deformation" else (hint,)
        return config_from_json(where, value, kinds)
    return _plain(where, key, value, hint)


def _plain(where: str, key: str, value: Any, hint: Any) -> Any:
    if hint is type(None) and value is None:
        return None
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and type(value) is int and 0 <= value <= LARGER.get(key, MAX_INT):
        return value
    if hint is float and type(value) in (int, float) and abs(value) <= MAX_FLOAT:
        return float(value)
    limits = {int: f" in 0..{LARGER.get(key, MAX_INT)}", float: f" within +-{MAX_FLOAT:g}"}.get(hint, "")
    raise ValueError(f"{where}: expected {getattr(hint, '__name__', hint)}{limits}, got {_short(value)}")


def _any_of(where: str, key: str, value: Any, hints: tuple[Any, ...]) -> Any:
    *others, last = hints
    for hint in others:
        try:
            return _value(where, key, value, hint)
        except ValueError:
            continue  # the last one's error is told
    return _value(where, key, value, last)


def _tuple(where: str, key: str, value: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    is_open = len(hints) == 2 and hints[1] is Ellipsis
    if not isinstance(value, list) or not (0 < len(value) <= MAX_LENGTH if is_open else len(value) == len(hints)):
        raise ValueError(f"{where}: expected a list of {'some' if is_open else len(hints)} values, got {_short(value)}")
    kinds = [hints[0]] * len(value) if is_open else hints
    return tuple(_value(f"{where}[{index}]", key, part, kinds[index]) for index, part in enumerate(value))


def _short(value: Any) -> str:
    return repr(value)[:60]
