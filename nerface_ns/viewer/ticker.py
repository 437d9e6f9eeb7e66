"""A clock on a thread of its own, which sleeps while nothing moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Ticker:
    """Calls a function at an even rate as long as it is needed.

    Args:
        rate_hz: Calls per second at most.
        is_needed: Whether to go on; asked before each call.
        tick: What to call.
    """

    def __init__(self, rate_hz: float, is_needed: Callable[[], bool], tick: Callable[[], None]) -> None:
        self._period_s, self._is_needed, self._tick = 1 / rate_hz, is_needed, tick
        self._awake = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def wake(self) -> None:
        """Look again whether there is something to do."""
        self._awake.set()

    def _run(self) -> None:
        while True:
            self._awake.wait()
            self._awake.clear()
            while self._is_needed():
                start_s = time.monotonic()
                self._tick()
                time.sleep(max(self._period_s - (time.monotonic() - start_s), 0.001))
