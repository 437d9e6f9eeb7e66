"""The embedded synthetic head, made on first use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, Optional, Type

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParser, NeRFaceDataParserConfig
from nerface_ns.data.face_frames import FaceSequence


@dataclass
class DemoDataParserConfig(NeRFaceDataParserConfig):
    """The embedded head without `--data`; with it, any folder in NerFace's format."""

    _target: Type = field(default_factory=lambda: DemoDataParser)
    """Target class to instantiate."""
    data: Optional[Path] = None  # type: ignore[assignment]
    """Folder of a dataset, or several with commas between; None makes the embedded head, or takes it from the user's
    cache, and so do these names, unless there is a folder so named: demo, demo-1 and demo-2, which are three persons,
    and demo-torso, whose shoulders stand still while the head turns."""


class DemoDataParser(NeRFaceDataParser):
    """Reads the embedded head like any other dataset in NerFace's format."""

    config: DemoDataParserConfig

    def data_dir(self) -> Path:
        """Folder named, or that of an embedded head."""
        settings = embedded_settings(self.config.data)
        if settings is None:
            return super().data_dir()
        from nerface_ns.synthetic.demo_cache import demo_data_dir
        from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig

        return demo_data_dir(DemoSequenceConfig(**settings)) if settings else demo_data_dir()

    def _read_sequence(self) -> FaceSequence:
        sequence = super()._read_sequence()
        if self.config.data is None or embedded_settings(self.config.data) is None:
            return sequence
        return replace(sequence, name=str(self.config.data))  # a cache folder's name says nothing


def embedded_settings(data: Optional[Path]) -> Optional[Dict[str, Any]]:
    """Return the settings of the embedded sequence that `data` names; None for a folder."""
    if data is None:
        return {}
    known = re.fullmatch(r"demo(?:-([1-9]|torso))?", str(data))
    if known is None or data.is_dir():
        return None
    if known[1] == "torso":
        return {"standing_torso": True}
    return {"identity": int(known[1])} if known[1] else {}
