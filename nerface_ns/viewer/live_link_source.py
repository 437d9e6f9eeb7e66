"""Listens for an iPhone's Live Link Face app, which sends ARKit coefficients over UDP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Optional

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.live_link import LIVE_LINK_PORT, LiveLinkFrame, parse_live_link_packet
from nerface_ns.viewer.live_source import LiveFrame

LARGEST_PACKET = 65_535
"""Bytes of the largest UDP packet."""
MOST_AT_ONCE = 64
"""Packets taken in one go: a flood shall not keep the newest frame from being shown."""
STOP_CHECK_S = 0.2
"""Longest wait between two looks at whether to stop."""


class LiveLinkSource:
    """Gives the newest frame that came; what is late, lost or unusable is counted and left out.

    Args:
        host: Address to listen at. The default hears this machine only; a phone needs the machine's own address, or
            0.0.0.0 for all of them, where anybody on the network may send.
        port: UDP port, as set in the app; 0 takes a free one.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = LIVE_LINK_PORT) -> None:
        self.calibration: Optional[ExpressionTrack] = None
        self.address = (host, port)
        self.num_received, self.num_unusable, self.num_skipped, self.num_lost = 0, 0, 0, 0
        self._last_message = ""
        self._last_time_s: Optional[float] = None
        self._stopped = threading.Event()

    def start(self, receive: Callable[[LiveFrame], None]) -> None:
        """Begin to listen.

        Raises:
            ValueError: The address or port cannot be listened at.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            listener.bind(self.address)
        except (OSError, OverflowError) as error:
            listener.close()
            host, port = self.address
            raise ValueError(
                f"UDP {host}:{port}: cannot listen there ({error}); choose another port or host"
            ) from error
        self.address = listener.getsockname()
        threading.Thread(target=self._listen, args=(listener, receive), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopped.set()

    def report(self) -> str:
        """Return what came so far."""
        counts = (
            f"{self.num_received} packets, {self.num_lost} lost, {self.num_skipped} late, {self.num_unusable} unusable"
        )
        last = f"; the last unusable one: {self._last_message}" if self._last_message else ""
        return f"UDP {self.address[0]}:{self.address[1]}: {counts}{last}"

    def _listen(self, listener: socket.socket, receive: Callable[[LiveFrame], None]) -> None:
        with listener:
            while not self._stopped.is_set():
                frame = self._newest_frame(listener)
                if frame is not None:
                    receive(LiveFrame(tuple(frame.names), frame.values, frame.gaze))

    def _newest_frame(self, listener: socket.socket) -> Optional[LiveLinkFrame]:
        """Wait for a packet, then take what else has come; return the last good one."""
        newest = None
        listener.settimeout(STOP_CHECK_S)
        for _ in range(MOST_AT_ONCE):
            try:
                data = listener.recv(LARGEST_PACKET)
            except (BlockingIOError, TimeoutError):
                return newest
            except ConnectionError:  # some systems tell a listener that an earlier sender is gone
                continue
            listener.setblocking(False)
            frame = self._parse(data)
            if frame is not None:
                self.num_skipped += newest is not None
                newest = frame
        return newest

    def _parse(self, data: bytes) -> Optional[LiveLinkFrame]:
        try:
            frame = parse_live_link_packet(data)
        except ValueError as error:
            self.num_unusable += 1
            self._last_message = str(error)[:120]
            return None
        self.num_received += 1
        self._count_lost(frame)
        return frame

    def _count_lost(self, frame: LiveLinkFrame) -> None:
        """Count the frames missing since the last one; a step back or of more than a second is a new recording."""
        last_s, self._last_time_s = self._last_time_s, frame.time_s
        if last_s is None or frame.time_s is None or frame.frames_per_s is None:
            return
        if 0 < frame.time_s - last_s < 1:
            self.num_lost += max(round((frame.time_s - last_s) * frame.frames_per_s) - 1, 0)
