"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Optional

Status = Literal["ok", "warn", "fail", "skip"]
"""Fine; trains, but worse than it could; must be mended before training; could not be looked at."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    """What was looked at, such as "camera convention"."""
    status: Status
    """How it stands."""
    detail: str
    """What was found, with figures."""
    remedy: str = ""
    """What to do about it."""
    problem: Optional[str] = None
    """Short name of what is wrong, for programs: "opencv-cameras", "mirrored", ...; None when nothing is."""
    figures: dict[str, Any] = field(default_factory=dict)
    """The numbers behind the words."""

    def as_json(self) -> dict[str, Any]:
        """What a JSON file holds of it."""
        return {
            "check": self.check,
            "status": self.status,
            "problem": self.problem,
            "detail": self.detail,
            "remedy": self.remedy,
            "figures": self.figures,
        }
