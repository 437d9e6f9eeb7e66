"""The embedded synthetic head, made on first use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Type

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParser, NeRFaceDataParserConfig


@dataclass
class DemoDataParserConfig(NeRFaceDataParserConfig):
    """The embedded head without `--data`; with it, any folder in NerFace's format."""

    _target: Type = field(default_factory=lambda: DemoDataParser)
    """Target class to instantiate."""
    data: Optional[Path] = None  # type: ignore[assignment]
    """Folder of a dataset; None makes the embedded head, or takes it from the user's cache."""


class DemoDataParser(NeRFaceDataParser):
    """Reads the embedded head like any other dataset in NerFace's format."""

    config: DemoDataParserConfig

    def data_dir(self) -> Path:
        """Folder named, or that of the embedded head."""
        if self.config.data is not None:
            return super().data_dir()
        from nerface_ns.synthetic.demo_cache import demo_data_dir

        return demo_data_dir()
