import random
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from live_link_packets import packet

from nerface_ns.tracks.live_link import ARKIT_NAMES
from nerface_ns.viewer.live_link_source import LiveLinkSource
from nerface_ns.viewer.live_source import LiveFrame

JAW = ARKIT_NAMES.index("jawOpen")


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def frames() -> list[LiveFrame]:
    return []


@pytest.fixture
def source(frames: list[LiveFrame]) -> Iterator[LiveLinkSource]:
    source = LiveLinkSource(port=0)
    source.start(frames.append)
    yield source
    source.stop()


@pytest.fixture
def send(source: LiveLinkSource) -> Iterator[Callable[[bytes], None]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        yield lambda data: sender.sendto(data, source.address)


def test_hears_this_machine_only(source):
    assert source.address[0] == "127.0.0.1"


def test_a_packet_becomes_a_frame(source, send, frames):
    send(packet(jawOpen=0.75))
    wait_until(lambda: bool(frames))
    assert frames[0].names == ARKIT_NAMES
    np.testing.assert_array_equal(frames[0].expression, 0.75 * (np.arange(len(ARKIT_NAMES)) == JAW))
    assert source.num_received == 1 and "1 packets, 0 lost, 0 late, 0 unusable" in source.report()


def test_lost_frames_are_counted(source, send, frames):
    """Of frames 0..9 the app's 3, 4 and 7 do not come; a clock that starts again loses none."""
    for frame in (0, 1, 2, 5, 6, 8, 9, 0, 1):
        send(packet(frame))
    wait_until(lambda: source.num_received == 9)
    assert source.num_lost == 3


def test_late_frames_give_way_to_the_newest(frames):
    """Nobody looks while five packets come; then the last one counts."""
    source = LiveLinkSource(port=0)
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        listener.bind(source.address)
        for frame in range(5):
            sender.sendto(packet(frame, jawOpen=frame / 8), listener.getsockname())
        newest = source._newest_frame(listener)
    assert newest is not None and newest.values[JAW] == 0.5
    assert source.num_skipped == 4 and source.num_received == 5


def garbage(count: int) -> list[bytes]:
    """Random bytes, and good packets cut, lengthened, or with bytes changed."""
    chance = random.Random(0)
    good = packet(jawOpen=0.5)
    made = [b"", b"\x06", b"\xff" * 2000, chance.randbytes(60_000), packet(jawOpen=float("nan"))]
    for _ in range(count):
        kind = chance.randrange(4)
        if kind == 0:
            made.append(chance.randbytes(chance.randrange(0, 400)))
        elif kind == 1:
            made.append(good[: chance.randrange(len(good))])
        elif kind == 2:
            made.append(good + chance.randbytes(chance.randrange(1, 50)))
        else:
            changed = bytearray(good)
            for _ in range(chance.randrange(1, 20)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            made.append(bytes(changed))
    return made


def test_garbage_is_counted_and_does_no_harm(source, send, frames):
    packets = garbage(600)
    for start in range(0, len(packets), 50):
        before = source.num_received + source.num_unusable
        for data in packets[start : start + 50]:
            send(data)
        wait_until(lambda before=before: source.num_received + source.num_unusable > before)
        time.sleep(0.002)  # the system's buffer holds only so many
    send(packet(jawOpen=0.125))
    wait_until(lambda: bool(frames) and frames[-1].expression[JAW] == 0.125)
    assert source.num_unusable > 300
    assert all(np.isfinite(frame.expression).all() for frame in frames)
    assert "the last unusable one: packet: expected" in source.report()


def test_a_port_that_is_taken(source):
    other = LiveLinkSource(*source.address)
    with pytest.raises(ValueError, match=rf"UDP 127.0.0.1:{source.address[1]}: cannot listen there"):
        other.start(print)


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 99_999)])
def test_an_address_that_is_none(host, port):
    with pytest.raises(ValueError, match=r"cannot listen there"):
        LiveLinkSource(host, port).start(print)


def test_stops(frames):
    source = LiveLinkSource(port=0)
    source.start(frames.append)
    source.stop()
    time.sleep(0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(packet(), source.address)
    time.sleep(0.1)
    assert frames == []
