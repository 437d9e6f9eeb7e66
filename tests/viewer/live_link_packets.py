"""Packets as the Live Link Face app sends them."""

from __future__ import annotations

import struct

from nerface_ns.tracks.live_link import ANGLE_NAMES, ARKIT_NAMES, PACKET_VERSION


def packet(frame: int = 0, frames_per_s: int = 60, **values: float) -> bytes:
    """A packet of a frame; coefficients by ARKit's names, all others 0."""
    text = b"".join(struct.pack(">i", len(word)) + word for word in (b"DEVICE", b"phone"))
    clock = struct.pack(">ifii", frame, 0.0, frames_per_s, 1)
    numbers = [values.get(name, 0.0) for name in (*ARKIT_NAMES, *ANGLE_NAMES)]
    return bytes([PACKET_VERSION]) + text + clock + bytes([len(numbers)]) + struct.pack(f">{len(numbers)}f", *numbers)
