from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nerface_ns.evaluation.extra_scores import (
    ExtraScores,
    landmark_distance,
    mediapipe_landmarks,
    ms_ssim,
    pixel_regions,
)
from nerface_ns.evaluation.split_scores import RenderedFrame
from nerface_ns.model_components.sharpness import cpbd
from nerface_ns.tracking import face_finder, model_file


def a_frame(number: int, size: int = 24, boxes: dict | None = None, alpha: bool = False) -> RenderedFrame:
    generator = torch.Generator().manual_seed(number)
    truth, noise = torch.rand(size, size, 3, generator=generator), torch.rand(size, size, 3, generator=generator)
    matte = (torch.arange(size)[:, None, None].expand(size, size, 1) < 6).float() if alpha else None
    outputs = {"rgb": (truth + 0.2 * (noise - 0.5)).clamp(0, 1)}
    return RenderedFrame(f"test/f_{number}", truth, outputs, boxes or {}, matte)


def test_figures_of_regions():
    """L2 over a region's pixels; flicker by the definition; a hair mask of scattered pixels; none of an empty one."""
    box = torch.tensor([0.25, 0.5, 0.0, 0.5])
    hair = np.random.default_rng(0).random((24, 24)) < 0.3
    scores, frames = ExtraScores(), [a_frame(number, boxes={"mouth": box}, alpha=True) for number in range(3)]
    for frame in frames:
        scores.add(frame, {"hair": hair, "torso": np.zeros((24, 24), dtype=bool)})
    assert set(scores.frames[0]) == {"full", "mouth", "mask", "hair"}
    inside = {"full": np.ones((24, 24), dtype=bool), "mouth": np.zeros((24, 24), dtype=bool), "hair": hair}
    inside["mouth"][6:12, 0:12] = True
    inside["mask"] = np.arange(24)[:, None].repeat(24, axis=1) < 6
    for name, where in inside.items():
        squares, flickers = [], []
        for number, frame in enumerate(frames):
            error = (frame.outputs["rgb"] - frame.truth).numpy()
            squares.append((error[where] ** 2).mean())
            if number:
                before = (frames[number - 1].outputs["rgb"] - frames[number - 1].truth).numpy()
                flickers.append(np.abs(error - before)[where].mean())
        mean = scores.mean()[name]
        assert mean["l2"] == pytest.approx(np.mean(squares), rel=1e-5)
        assert mean["flicker"] == pytest.approx(np.mean(flickers), rel=1e-5)
        assert mean["landmarks"] is None
    assert scores.frames[0]["full"]["flicker"] is None
    assert scores.frames[1]["full"]["cpbd"] == cpbd(frames[1].outputs["rgb"].numpy())
    assert scores.frames[1]["full"]["cpbd_truth"] == cpbd(frames[1].truth.numpy())


def test_a_still_error_does_not_flicker():
    scores = ExtraScores()
    for number in range(2):
        frame = a_frame(number)
        frame.outputs["rgb"] = 0.1 + 0.5 * frame.truth
        frame.truth = frame.outputs["rgb"] + 0.05
        scores.add(frame, {})
    assert scores.mean()["full"]["flicker"] == pytest.approx(0, abs=1e-6)


def test_ms_ssim_of_the_paper_where_there_is_room():
    """torchmetrics' own with the paper's five weights; equal pictures score 1."""
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    frame = a_frame(0, size=180)
    render, truth = frame.outputs["rgb"], frame.truth
    expected = multiscale_structural_similarity_index_measure(
        render.permute(2, 0, 1)[None], truth.permute(2, 0, 1)[None], data_range=1.0
    )
    assert ms_ssim(render, truth) == pytest.approx(float(expected), abs=2e-4)
    assert ms_ssim(truth, truth) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("side", "is_there"), [(21, False), (22, True), (44, True), (98, True), (100, True)])
def test_ms_ssim_of_small_pictures(side, is_there):
    frame = a_frame(0, size=side)
    score = ms_ssim(frame.outputs["rgb"], frame.truth)
    assert (score is not None) == is_there and (score is None or 0 < score < 1)


def test_landmark_distance():
    """Three pixels down in a picture of 60: 5 % of its height; None without a face."""
    places = {0.0: np.array([[1.0, 2.0], [5.0, 8.0]]), 1.0: np.array([[1.0, 5.0], [5.0, 11.0]]), 0.5: None}

    def find(image):
        return places[float(image[0, 0, 0])]

    pictures = {value: np.full((60, 60, 3), value) for value in places}
    assert landmark_distance(pictures[0.0], pictures[1.0], find) == pytest.approx(5.0)
    assert landmark_distance(pictures[0.0], pictures[0.5], find) is None


def test_regions_without_pixels_are_left_out():
    frame = a_frame(0, boxes={"eyes": torch.tensor([0.0, 0.5, 0.0, 1.0])})
    frame.alpha = torch.zeros(24, 24, 1)
    assert set(pixel_regions(frame, {"hair": np.zeros((24, 24), dtype=bool)})) == {"full", "eyes"}


def test_mediapipe_is_asked_in_bytes_and_freed(monkeypatch, tmp_path):
    """The first face's points without their depth; none without a face."""
    seen = []

    class Finder:
        def __init__(self, model):
            seen.append(model)

        def find(self, picture):
            seen.append(picture)
            return SimpleNamespace(landmarks_px=np.ones((int(picture[0, 0, 0] > 0), 4, 3), dtype=np.float32))

        def close(self):
            seen.append("closed")

    monkeypatch.setattr(face_finder, "FaceFinder", Finder)
    monkeypatch.setattr(face_finder, "load_mediapipe", lambda: None)
    monkeypatch.setattr(model_file, "landmarker_file", lambda model: model)
    with mediapipe_landmarks(tmp_path / "face.task") as find:
        assert find(np.full((4, 4, 3), 0.5)).shape == (4, 2) and find(np.zeros((4, 4, 3))) is None
    assert seen[0] == tmp_path / "face.task" and seen[1].dtype == np.uint8 and seen[1].max() == 128
    assert seen[-1] == "closed"
