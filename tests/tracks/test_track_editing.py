import numpy as np
import pytest
from sample_track import make_track, rotation

from nerface_ns.tracks.one_euro import OneEuroConfig, OneEuroFilter
from nerface_ns.tracks.track_editing import concatenate, resample, smooth, trim


def turning_track(count: int = 30, jitter: float = 0.0, seed: int = 0, **changes):
    """A head that turns evenly about one axis, with jitter in the angle."""
    random = np.random.default_rng(seed)
    angles = 0.02 * np.arange(count) + jitter * random.standard_normal(count)
    turns = np.stack([rotation((0, 1, 0), angle) for angle in angles])
    poses = np.concatenate([turns, np.full((count, 3, 1), 0.5)], axis=-1)
    return make_track(count=count, camera_to_world=poses, **changes), angles


def angle_about_y(poses: np.ndarray) -> np.ndarray:
    return np.arctan2(poses[:, 0, 2], poses[:, 0, 0])


@pytest.mark.parametrize("rate", [5.0, 10.0, 24.0, 30.0])
def test_resample_matches_numpy_and_keeps_the_length(rate):
    track = make_track(count=20)
    found = resample(track, rate)
    assert found.frames_per_s == rate and len(found) == round(2.0 * rate)
    assert found.duration_s == pytest.approx(track.duration_s, abs=0.5 / rate)
    for column in range(3):
        expected = np.interp(np.arange(len(found)) / rate, track.times_s, track.expression[:, column])
        np.testing.assert_allclose(found.expression[:, column], expected, atol=1e-12)


def test_resample_to_its_own_rate_changes_nothing():
    track = make_track(full=True)
    np.testing.assert_array_equal(resample(track, 10.0).camera_to_world, track.camera_to_world)


@pytest.mark.parametrize("rate", [0.0, -5.0, float("nan")])
def test_resample_refuses_rates_that_are_none(rate):
    with pytest.raises(ValueError, match="sample: expected frames per second above 0"):
        resample(make_track(), rate)


def test_trim_takes_the_frames_that_start_within():
    track = make_track(full=True)
    cut = trim(track, 0.25, 0.7)
    np.testing.assert_array_equal(cut.expression, track.expression[3:7])
    np.testing.assert_array_equal(cut.camera_to_world, track.camera_to_world[3:7])
    assert cut.frame_files == track.frame_files[3:7]
    assert cut.video_start_s == pytest.approx(1.5 + 0.3)


def test_trim_ends_are_those_of_frames():
    """0.1 + 0.2 is no exact number, frame 3 starts there all the same."""
    assert len(trim(make_track(), 0.1 + 0.2, 0.6)) == 3
    assert len(trim(make_track())) == 9
    assert len(trim(make_track(), 0.0, 0.9)) == 9


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-0.1, None, "0 <= start < end <= 0.9 s"),
        (0.5, 0.5, "0 <= start < end <= 0.9 s"),
        (0.0, 1.0, "0 <= start < end <= 0.9 s"),
        (float("nan"), None, "0 <= start < end <= 0.9 s"),
        (0.9, None, "0 <= start < end <= 0.9 s"),
        (0.12, 0.18, "a cut that holds a frame, got 0.12 to 0.18 s"),
    ],
)
def test_trim_refuses_cuts_of_nothing(start, end, message):
    with pytest.raises(ValueError, match=f"sample: expected {message}"):
        trim(make_track(), start, end)


def test_concatenate_joins_frames():
    first, second = make_track(count=3, full=True, seed=1), make_track(count=4, full=True, seed=2)
    joined = concatenate([first, second])
    assert len(joined) == 7 and joined.names == first.names and joined.source == "sample + sample"
    for name in ("expression", "camera_to_world", "gaze"):
        np.testing.assert_array_equal(
            getattr(joined, name), np.concatenate([getattr(first, name), getattr(second, name)])
        )
    assert joined.frame_files == first.frame_files + second.frame_files
    assert joined.video is None and joined.neutral is None


def test_concatenate_keeps_what_all_have():
    neutral = np.array([0.1, 0.2, 0.3])
    joined = concatenate([make_track(full=True, neutral=neutral), make_track(neutral=neutral)])
    np.testing.assert_array_equal(joined.neutral, neutral)
    assert joined.camera_to_world is None and joined.gaze is None and joined.frame_files is None


def test_concatenate_by_names_keeps_what_all_have_in_whatever_spelling():
    first = make_track(names=("jawOpen", "mouthSmile_L", "tongueOut"), neutral=np.array([1.0, 2.0, 3.0]))
    second = make_track(names=("MouthSmileLeft", "JawOpen", "cheekPuff"), neutral=np.array([2.0, 1.0, 0.0]), seed=1)
    joined = concatenate([first, second], by_names=True)
    assert joined.names == ("jawOpen", "mouthSmile_L")
    np.testing.assert_array_equal(joined.expression[:9], first.expression[:, :2])
    np.testing.assert_array_equal(joined.expression[9:], second.expression[:, [1, 0]])
    np.testing.assert_array_equal(joined.neutral, [1.0, 2.0])


@pytest.mark.parametrize(
    ("changes", "by_names", "message"),
    [
        ({"frames_per_s": 12.0}, False, "10 frames per second as in sample, got 12; resample"),
        ({"length": 2}, False, "3 coefficients as in sample, got 2"),
        ({"names": ("name0", "other", "name2")}, False, "coefficient 1 to be 'name1' as in sample, got 'other'"),
        ({"names": ()}, False, "names of the coefficients in all tracks or in none"),
        ({"names": ()}, True, "names of the coefficients to join by, got none"),
        ({"names": ("a", "b", "c")}, True, "coefficients in common with the other tracks, got none"),
    ],
)
def test_tracks_that_do_not_fit_are_named(changes, by_names, message):
    with pytest.raises(ValueError, match=f"second: expected {message}"):
        concatenate([make_track(), make_track(source="second", **changes)], by_names)


def test_nothing_to_join():
    with pytest.raises(ValueError, match="at least one track to join, got none"):
        concatenate([])


def test_one_euro_is_applied_to_all_numbers():
    track = make_track(full=True)
    found = smooth(track, "one-euro", one_euro=OneEuroConfig(beta=0.3))
    for numbers, smoothed in ((track.expression, found.expression), (track.gaze, found.gaze)):
        by_hand = OneEuroFilter(OneEuroConfig(beta=0.3))
        np.testing.assert_allclose(smoothed, [by_hand(row, 0.1) for row in numbers])
    np.testing.assert_allclose(found.camera_to_world[0], track.camera_to_world[0], atol=1e-12)


def test_savitzky_golay_is_a_least_squares_parabola():
    """Five frames: the middle of the parabola that fits them best."""
    track = make_track(count=15)
    found = smooth(track, "savitzky-golay", window_s=0.5, polynomial_order=2)
    for frame in range(2, 13):
        window = track.expression[frame - 2 : frame + 3]
        expected = np.polynomial.polynomial.polyfit(np.arange(-2, 3), window, 2)[0]
        np.testing.assert_allclose(found.expression[frame], expected, atol=1e-12)


def test_savitzky_golay_leaves_parabolas():
    times = np.arange(12) / 10
    track = make_track(count=12, expression=np.stack([times, 3 * times**2 - times, 1 - times**2], axis=-1))
    np.testing.assert_allclose(smooth(track, "savitzky-golay", 0.7).expression, track.expression, atol=1e-12)


@pytest.mark.parametrize("method", ["one-euro", "savitzky-golay"])
def test_rotations_stay_rotations_and_jitter_less(method):
    track, angles = turning_track(jitter=0.05)
    poses = smooth(track, method, window_s=0.9).camera_to_world
    turns = poses[:, :, :3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (30, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1.0)
    wobble = np.abs(np.diff(angles, 2)).mean()
    assert np.abs(np.diff(angle_about_y(poses), 2)).mean() < 0.5 * wobble


def test_savitzky_golay_does_not_lag():
    track, angles = turning_track()
    np.testing.assert_allclose(angle_about_y(smooth(track, "savitzky-golay", 0.5).camera_to_world), angles, atol=1e-4)


@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_short_tracks_get_the_widest_window_that_fits(count):
    assert smooth(make_track(count=count), "savitzky-golay", window_s=2.0).expression.shape == (count, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_s": 0.0}, "a smoothing window above 0 s and an order from 0, got 0.0 and 2"),
        ({"window_s": float("nan")}, "a smoothing window above 0 s"),
        ({"polynomial_order": -1}, "a smoothing window above 0 s and an order from 0, got 0.3 and -1"),
        ({"polynomial_order": 9}, "more than 9 frames to smooth with order 9, got 9"),
    ],
)
def test_windows_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=f"sample: expected {message}"):
        smooth(make_track(), "savitzky-golay", **options)
