import numpy as np
import pytest

from nerface_ns.tracks.timecode import timecode_seconds


def timecodes(frames: np.ndarray, rate: int, start_s: int = 0) -> list[str]:
    seconds = start_s + (frames // rate).astype(int)
    fractions = frames % rate
    return [
        f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{fraction:06.3f}"
        for second, fraction in zip(seconds, fractions)
    ]


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 50, 60, 120])
def test_rate_is_found_where_seconds_turn(rate):
    frames = np.arange(0, 3 * rate) + 0.4
    found = timecode_seconds("file", timecodes(frames, rate))
    np.testing.assert_allclose(found, frames / rate, atol=1e-4)


def test_every_second_frame_of_sixty():
    """The app stamps 30 frames a second on a clock of 60."""
    frames = np.arange(0, 300, 2) + 0.652
    np.testing.assert_allclose(timecode_seconds("file", timecodes(frames, 60)), frames / 60, atol=1e-4)


def test_sixty_where_nothing_tells():
    np.testing.assert_allclose(timecode_seconds("file", ["00:00:00:02.000", "00:00:00:04.000"]), [2 / 60, 4 / 60])


def test_one_timecode():
    np.testing.assert_allclose(timecode_seconds("file", ["01:02:03:30"]), [3723.5])


def test_midnight():
    found = timecode_seconds("file", timecodes(np.arange(200), 60, start_s=86398))
    np.testing.assert_allclose(np.diff(found), 1 / 60, atol=1e-6)


@pytest.mark.parametrize(
    "text", ["", "12:00:00", "24:00:00:00", "12:60:00:00", "12:00:60:00", "a:b:c:d", "12:00:00:-1", "12:00:00:١٢"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="file: frame 1: expected a timecode like"):
        timecode_seconds("file", ["12:00:00:00", text])


def test_too_many_frames_in_a_second():
    with pytest.raises(
        ValueError, match="file: frame 0: expected frames below 120 in the timecode, got '12:00:00:500'"
    ):
        timecode_seconds("file", ["12:00:00:500"])
