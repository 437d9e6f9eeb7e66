"""The dataparsers this package registers with nerfstudio."""

from __future__ import annotations

from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.demo_dataparser import DemoDataParserConfig
from nerface_ns.data.dataparsers.flame_dataparser import FlameDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.dataparsers.nerfblendshape_dataparser import NeRFBlendShapeDataParserConfig

nerface_data = DataParserSpecification(
    config=NeRFaceDataParserConfig(),
    description="NerFace's release format: transforms_{train,val,test}.json with expressions and face boxes.",
)

adnerf_data = DataParserSpecification(
    config=ADNeRFDataParserConfig(),
    description="AD-NeRF's layout and RAD-NeRF's, ER-NeRF's: a talking head with 3DMM coefficients or action units.",
)

nerfblendshape_data = DataParserSpecification(
    config=NeRFBlendShapeDataParserConfig(),
    description="NeRFBlendShape's layout: transforms.json with blendshape coefficients, head_imgs, landmarks, parsing.",
)

flame_data = DataParserSpecification(
    config=FlameDataParserConfig(),
    description="FLAME-tracked heads: INSTA, metrical-tracker, IMavatar, PointAvatar, Neural Head Avatars, VHAP.",
)

nerface_demo = DataParserSpecification(
    config=DemoDataParserConfig(),
    description="The embedded synthetic head, or with --data a folder in NerFace's format.",
)
