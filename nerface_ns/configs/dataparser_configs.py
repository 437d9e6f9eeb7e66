"""The dataparsers this package registers with nerfstudio."""

from __future__ import annotations

from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.demo_dataparser import DemoDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig

nerface_data = DataParserSpecification(
    config=NeRFaceDataParserConfig(),
    description="NerFace's release format: transforms_{train,val,test}.json with expressions and face boxes.",
)

adnerf_data = DataParserSpecification(
    config=ADNeRFDataParserConfig(),
    description="AD-NeRF's layout: a talking head with tracked 3DMM coefficients.",
)

nerface_demo = DataParserSpecification(
    config=DemoDataParserConfig(),
    description="The embedded synthetic head, or with --data a folder in NerFace's format.",
)
