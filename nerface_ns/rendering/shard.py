"""A part of a render, for one of several processes or machines."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Every `count`-th frame, from the `number`-th on."""

    number: int
    """Which part, from 1 on."""
    count: int
    """Into how many parts the render is cut."""

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "2/4".

        Raises:
            ValueError: It is not of this form, or there is no such part.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"--shard {text}: expected i/n with i from 1 to n, such as 2/4")
        return cls(int(match[1]), int(match[2]))

    def takes(self, frame: int) -> bool:
        """Whether a frame, counted from 0, belongs to this part."""
        return frame % self.count == self.number - 1
