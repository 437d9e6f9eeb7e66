import numpy as np
import pytest

from nerface_ns.viewer.track_player import PlayedTrack, TrackPlayer

TIMES = np.array([0.0, 1.0, 3.0])
TRACK = PlayedTrack("t", TIMES, np.array([[0.0], [10.0], [20.0]]))


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def player(clock: Clock) -> TrackPlayer:
    return TrackPlayer(TRACK, clock)


@pytest.mark.parametrize("time_s", [-1.0, 0.0, 0.25, 1.0, 2.5, 3.0, 9.0])
def test_expression_between_frames(time_s):
    np.testing.assert_allclose(TRACK.at(time_s), [np.interp(time_s, TIMES, TRACK.expression[:, 0])])


def test_one_frame_stands_still():
    track = PlayedTrack("t", np.zeros(1), np.array([[7.0]]))
    assert track.duration_s == 0 and track.at(5.0).tolist() == [7.0]
    player = TrackPlayer(track)
    player.play()
    assert player.expression.tolist() == [7.0]


def test_stands_until_it_plays(player, clock):
    clock.now_s += 5
    assert player.position_s == 0 and not player.is_playing
    player.play()
    clock.now_s += 0.5
    assert player.is_playing and player.expression.tolist() == [5.0]


def test_starts_over_at_the_end(player, clock):
    player.play()
    clock.now_s += 3.25
    assert player.position_s == pytest.approx(0.25)


def test_pause_and_go_on(player, clock):
    player.play()
    clock.now_s += 0.5
    player.pause()
    clock.now_s += 10
    assert player.position_s == pytest.approx(0.5)
    player.play()
    clock.now_s += 0.25
    assert player.position_s == pytest.approx(0.75)


def test_speed_changes_from_here_on(player, clock):
    player.play()
    clock.now_s += 0.5
    player.speed = 2.0
    assert player.position_s == pytest.approx(0.5)
    clock.now_s += 0.5
    assert player.position_s == pytest.approx(1.5)


def test_seek_keeps_playing_or_standing(player, clock):
    player.seek(2.0)
    clock.now_s += 1
    assert player.position_s == 2.0
    player.play()
    player.seek(1.0)
    clock.now_s += 0.5
    assert player.position_s == pytest.approx(1.5)
    player.seek(99.0)
    assert TRACK.at(3.0) == player.track.at(3.0) and player.position_s == pytest.approx(0.0)


def test_end_of_a_standing_track(player):
    """Only playing starts over; a slider at its end shows the last frame."""
    player.seek(3.0)
    assert player.expression.tolist() == [20.0]


def test_another_track_starts_at_its_start(player, clock):
    player.play()
    clock.now_s += 1.0
    other = PlayedTrack("o", np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
    player.load(other)
    clock.now_s += 0.5
    assert player.track is other and player.expression.tolist() == [0.5]
