"""The fit before the recorded head whose gaze is known exactly, with the eyes that a calibration on it found."""

import numpy as np

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.evaluation.gaze_calibration import CalibratedEyes
from nerface_ns.evaluation.gaze_estimator import FittedIrises
from nerface_ns.evaluation.gaze_frames import require_gaze, spread_rows, true_pictures
from nerface_ns.evaluation.gaze_geometry import Eyeballs, angles_deg
from nerface_ns.evaluation.gaze_pixels import SkinColor
from nerface_ns.evaluation.gaze_profile import IrisProfile

EYEBALLS = Eyeballs(np.array([[-0.012864, 0.014151, 0.031607], [0.012777, 0.014143, 0.031751]]), 0.006145)
PROFILE = IrisProfile(0.075, 0.3123, 0.6763, 10.98, 30.05, 0.67)


def test_gaze_of_the_recorded_head(shared_data):
    """The median of 14 test frames, before any correction, at 256x256."""
    parser = NeRFaceDataParserConfig(data=shared_data / "head_a").setup()
    parser.check_image_sizes = False
    test = parser.sequence.splits["test"]
    rows = spread_rows(len(test), 14)
    pictures, gaze = true_pictures(test, rows, (256, 256)), require_gaze(test)[0]
    eyes = CalibratedEyes(EYEBALLS, PROFILE, SkinColor.learned(pictures, EYEBALLS))
    finder = FittedIrises(eyes, gaze.min(axis=0) - 0.2, gaze.max(axis=0) + 0.2)
    found = np.stack([finder.look(picture).gaze for picture in pictures])
    assert np.median(angles_deg(found, gaze[rows])) < 3.0
