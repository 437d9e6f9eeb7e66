"""Shape of the spiral that `nerface-render spiral` follows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SpiralConfig:
    """Shape of the spiral."""

    rounds: float = 2.0
    """Turns in the image plane."""
    depth_rate: float = 0.5
    """Swings towards the head and away, in each round."""
    extent: float = 0.8
    """Share of the training cameras that stand no farther from their middle than the spiral goes, along each axis
    (LLFF: 0.9; improved NeRF--: 0.8)."""
    scale: float = 1.0
    """Factor on the spiral's size."""

    def check(self) -> None:
        """Refuse numbers that make no spiral.

        Raises:
            ValueError: One of them.
        """
        for name in ("rounds", "scale"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"--spiral.{name} {getattr(self, name)}: expected a positive number")
        if not 0 < self.extent <= 1:
            raise ValueError(f"--spiral.extent {self.extent}: expected a share above 0, up to 1")
        if not 0 <= self.depth_rate < float("inf"):
            raise ValueError(f"--spiral.depth-rate {self.depth_rate}: expected 0 or more")
