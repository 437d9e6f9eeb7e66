"""What an import is told beside the checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Optional


@dataclass(kw_only=True)
class ImportSettings:
    """What a checkpoint does not say about itself."""

    data: Path
    """Folder of the data it was trained on, in NerFace's format."""
    output_dir: Path = Path("outputs")
    """Folder below which the run's own folder is made, as `ns-train` does."""
    experiment_name: Optional[str] = None
    """Folder of the experiment; the data's name without it."""
    timestamp: Optional[str] = None
    """Folder of the run; date and time without it."""
    resolution: Optional[int] = None
    """Image height that it was trained at where that is not the stored one (NerFace: half_res)."""
    near: float = 0.2
    """Near plane of its configuration, which its networks also take as an input."""
    far: float = 0.8
    """Far plane of its configuration, which its networks also take as an input."""
    position_octaves: int = 10
    """Octaves of its position encoding (its configurations: num_encoding_fn_xyz)."""
    fidelity: Literal["released", "published"] = "released"
    """"released": as NerFace's code computes, its direction input and jitter included; "published": networks that were
    trained on the true view direction."""
    code_frame: Optional[int] = None
    """Training frame whose latent code frames never trained on get; None takes that of NerFace's evaluation."""
