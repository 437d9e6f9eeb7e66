import cv2
import numpy as np
import pytest
from synthetic_head import canonical_points, draw_frame, gaze_directions, head_motion, seen_landmarks

from nerface_ns.tracking.matte_seeds import matte_seeds
from nerface_ns.tracking.matte_stage import MatteFrame, background_picture, know_background, write_mattes
from nerface_ns.tracking.whole_image import read_grey, write_image

SIZE, COUNT = 160, 16


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """A head that moves about before a smooth background, with its landmarks and true masks."""
    root = tmp_path_factory.mktemp("shots")
    rotation, translation = head_motion(COUNT)
    translation[:, 0] += np.linspace(-2, 2, COUNT)
    center = np.array([80.0, 70.0])
    seen = seen_landmarks(canonical_points(), gaze_directions(COUNT), rotation, translation, 260.0, center)
    empty = draw_frame(0, None, SIZE)
    frames, masks = [], []
    for number in range(COUNT):
        image = draw_frame(0, seen[number], SIZE)
        masks.append((image != empty).any(axis=-1))
        noise = np.random.default_rng(number).normal(scale=3, size=image.shape)
        write_image(root / f"{number}.png", (image + noise).clip(0, 255).astype(np.uint8))
        frames.append(MatteFrame(root / f"{number}.png", root / "masks" / f"{number}.png", seen[number]))
    return frames, masks, empty


def test_mattes_and_background(shots):
    frames, masks, empty = shots
    background = know_background(frames, None)
    write_mattes(frames, background, None, lambda done: None)
    found = [read_grey(frame.alpha) > 127 for frame in frames]
    scores = [(mask & true).sum() / (mask | true).sum() for mask, true in zip(found, masks)]
    assert np.mean(scores) > 0.95
    is_seen = background.full.is_seen
    assert 0.4 < is_seen.mean() < 0.95
    assert np.abs(background_picture(background).astype(int) - empty)[is_seen].mean() < 5


def test_mattes_that_are_there_stay(shots, tmp_path):
    frames, _, _ = shots
    mine = MatteFrame(frames[0].image, tmp_path / "mine.png", frames[0].landmarks_px)
    write_image(mine.alpha, np.full((SIZE, SIZE), 7, dtype=np.uint8))
    write_mattes([mine], know_background(frames[:4], None), None, lambda done: None)
    assert (read_grey(mine.alpha) == 7).all()


def test_segmenter_leads_the_first_cut(shots):
    """Where the network is sure, colours do not matter."""
    frames, _, _ = shots

    def network(image: np.ndarray) -> np.ndarray:
        probability = np.zeros(image.shape[:2], dtype=np.float32)
        probability[20:140, 30:130] = 1
        return probability

    background = know_background(frames[:3], network)
    assert background.usual[60:120, 50:110].min() == 1
    assert background.usual[5:15, 5:15].max() == 0


def test_seeds_lie_where_they_should(shots):
    frames, masks, _ = shots
    for frame, mask in zip(frames, masks):
        seeds = matte_seeds(frame.landmarks_px, SIZE, SIZE)
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) > 0
        assert (seeds.sure & ~grown).sum() < 0.05 * seeds.sure.sum()
        assert not (seeds.free & mask).any()
        assert not (seeds.free & seeds.likely).any()
