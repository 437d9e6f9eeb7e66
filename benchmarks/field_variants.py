"""Methods that differ from `nerface` in the field alone; nerfstudio finds them through NERFSTUDIO_METHOD_CONFIGS.

The field's class is not an option of the command line, so each candidate is a method of its own.
"""

from __future__ import annotations

import copy

from nerfstudio.plugins.types import MethodSpecification

from nerface_ns.configs.method_configs import nerface
from nerface_ns.field_components.deformation import BlendedGridDeformationConfig
from nerface_ns.fields.base_face_field import FaceFieldConfig
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig


def _variant(method_name: str, radiance_field: FaceFieldConfig, description: str) -> MethodSpecification:
    config = copy.deepcopy(nerface.config)
    config.method_name = method_name
    config.pipeline.model.radiance_field = radiance_field
    return MethodSpecification(config=config, description=description)


blended_grids = _variant(
    "nerface-field-blended-grids",
    WarpedGridFieldConfig(deformation=BlendedGridDeformationConfig()),
    "The default field with a deformation blended from low-rank grids.",
)

perceptron = _variant(
    "nerface-field-perceptron",
    NeRFaceFieldConfig(
        coordinates="box", density_activation="softplus", density_scale=48.0, density_bias=0.5, density_noise=0.0
    ),
    "NerFace's perceptron behind the occupancy grid.",
)
# The grids' rates are too high for a network this deep; NerFace's own is 5e-4.
perceptron.config.optimizers["networks"]["optimizer"].lr = 5e-4

ENVIRONMENT = ",".join(
    f"{variant.config.method_name}=field_variants:{name}"
    for name, variant in (("blended_grids", blended_grids), ("perceptron", perceptron))
)
"""Value of NERFSTUDIO_METHOD_CONFIGS under which nerfstudio finds the variants."""
