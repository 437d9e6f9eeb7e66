import threading
import time

from nerface_ns.viewer.ticker import Ticker


def test_ticks_only_while_needed():
    ticks, needed = [], threading.Event()
    ticker = Ticker(200.0, needed.is_set, lambda: ticks.append(time.monotonic()))
    ticker.wake()
    time.sleep(0.05)
    assert ticks == []
    needed.set()
    ticker.wake()
    deadline = time.monotonic() + 5
    while len(ticks) < 10 and time.monotonic() < deadline:
        time.sleep(0.005)
    needed.clear()
    time.sleep(0.05)
    count = len(ticks)
    time.sleep(0.1)
    assert count >= 10 and len(ticks) == count


def test_rate_is_not_exceeded():
    ticks = []
    ticker = Ticker(50.0, lambda: len(ticks) < 6, lambda: ticks.append(time.monotonic()))
    ticker.wake()
    deadline = time.monotonic() + 5
    while len(ticks) < 6 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ticks[-1] - ticks[0] >= 0.09
