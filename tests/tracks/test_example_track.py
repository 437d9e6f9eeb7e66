"""The track in `configs/tracks`, which the README's examples use."""

from pathlib import Path

import numpy as np

from nerface_ns.synthetic.demo_motion import FRAMES_PER_SECOND, camera_track, expression_track
from nerface_ns.synthetic.expressions import EXPRESSION_NAMES, eye_gaze
from nerface_ns.tracks.track_file import read_track

EXAMPLE = Path(__file__).parents[2] / "configs" / "tracks" / "demo_head.json"
COUNT, SEED = 84, 7


def test_it_is_the_demo_heads_motion():
    """Of another seed than the demo's data; expressions and gaze to four decimals, poses to six."""
    track = read_track(EXAMPLE)
    expression = expression_track(COUNT, SEED)
    assert track.names == EXPRESSION_NAMES and track.frames_per_s == FRAMES_PER_SECOND
    np.testing.assert_allclose(track.expression, expression, atol=6e-5)
    np.testing.assert_allclose(track.camera_to_world, camera_track(COUNT, SEED)[:, :3], atol=6e-7)
    np.testing.assert_allclose(track.gaze, [eye_gaze(row).mean(axis=0) for row in expression], atol=1e-4)
    np.testing.assert_array_equal(track.neutral, 0)


def test_it_is_small():
    assert EXAMPLE.stat().st_size < 60_000
