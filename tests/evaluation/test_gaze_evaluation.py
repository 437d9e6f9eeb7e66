"""A run's gaze, measured on a model that draws what it is told, with known mistakes."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn_eyes import DrawingModel, drawing_pipeline, true_eyes
from PIL import Image

from nerface_ns.evaluation.gaze_calibration import CalibratedEyes
from nerface_ns.evaluation.gaze_estimator import FittedIrises
from nerface_ns.evaluation.gaze_evaluation import GazeEvaluation, measure_gaze
from nerface_ns.evaluation.gaze_head_motion import HeadMotion
from nerface_ns.evaluation.gaze_redirection import GazeTargets, RedirectedFrame, RedirectedPicture
from nerface_ns.evaluation.gaze_report import frame_figures, gaze_figures, gaze_plot, gaze_table
from nerface_ns.evaluation.gaze_sheet import GazeSheets

TARGETS = GazeTargets((0.0, 8.0), (-15.0, 15.0))


@pytest.fixture(scope="module", autouse=True)
def known_eyes():
    """Calibrations find the true eyes at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CalibratedEyes, "fitted", true_eyes)
        yield


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return drawing_pipeline(tmp_path_factory.mktemp("drawn"), DrawingModel(bias_deg=6.0, spill=0.3))


@pytest.fixture(scope="module")
def seen():
    return []


@pytest.fixture(scope="module")
def record(pipeline, seen):
    return measure_gaze(pipeline, GazeEvaluation(targets=TARGETS), None, lambda *told: seen.append(told))


def test_error_is_the_models_and_the_estimators_own_stands_beside_it(record):
    """Eyes that look six degrees too far to the left."""
    assert record["gaze_error_deg"] == pytest.approx(6.0, abs=1.2)
    assert record["estimator_error_deg"] < 1.2
    for target in record["targets"]:
        assert target["found_yaw_deg"] - target["yaw_deg"] == pytest.approx(6.0, abs=1.5)
        assert target["found_pitch_deg"] == pytest.approx(target["pitch_deg"], abs=1.5)


def test_frames_with_shut_eyes_are_counted_and_not_redirected(record, seen):
    assert (record["num_frames"], record["frames_with_shut_eyes"]) == (4, 1)
    assert len(record["frames"]["test/f_0000"]["pictures"]) == 4
    assert record["frames"]["test/f_0001"]["pictures"] == []
    assert [told[3:] for told in seen] == [(number + 1, 16) for number in range(16)]
    assert [told[2] is None for told in seen] == [False] * 4 + [True] * 4 + [False] * 8


def test_what_changes_outside_the_eyes_counts_against_the_model(pipeline, record):
    """The lowest row alone changes outside the box: its energy is known in closed form."""
    spill = inside = 0.0
    model, renderer_frames = pipeline.model, pipeline.datamanager.dataparser.sequence.splits["test"]
    clean = DrawingModel(model.bias_deg)
    from nerface_ns.evaluation.gaze_redirection import GazeRenderer

    renderer = GazeRenderer(SimpleNamespace(model=clean, datamanager=pipeline.datamanager), "test", (112, 112))
    for row in (0, 2, 3):
        own = renderer.render(row, renderer_frames.gaze[row])["rgb"]
        for pitch, yaw in TARGETS.pairs():
            turned = renderer.render(row, np.deg2rad([pitch, yaw]))["rgb"]
            inside += float((turned - own).double().square().sum())
            spill += 3 * 112 * (model.spill * (np.deg2rad(yaw) - renderer_frames.gaze[row, 1])) ** 2
    assert record["eyes_box_energy"] == pytest.approx(inside / (inside + spill), abs=0.002)
    assert record["reaches_energy_bar"] == (record["eyes_box_energy"] >= 0.85)


def test_head_that_stands_still_is_found_still(record):
    assert record["head_error_deg"] < 0.05 and record["head_shift_px"] < 0.05


def test_record_says_how_it_came_about(record):
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["image_size"] == [112, 112] and record["split"] == "test"
    assert record["estimator"]["calibration"]["frames"] == 14
    assert record["targets_beyond_training"] == []
    assert set(record["definitions"]) <= set(record)
    assert record["lpips"] is None and record["eyes"]["psnr"] < record["psnr"]


def test_run_without_gaze(pipeline):
    blind = SimpleNamespace(model=torch.nn.Linear(1, 1), datamanager=pipeline.datamanager)
    with pytest.raises(
        ValueError, match=r"--gaze: expected a run that is conditioned on gaze, .* got Linear without it"
    ):
        measure_gaze(blind, GazeEvaluation())


def test_data_without_gaze_are_named(pipeline):
    sequence = pipeline.datamanager.dataparser.sequence
    bare = {name: dataclasses.replace(frames, gaze=None) for name, frames in sequence.splits.items()}
    dataparser = SimpleNamespace(sequence=dataclasses.replace(sequence, splits=bare))
    run = SimpleNamespace(model=pipeline.model, datamanager=SimpleNamespace(dataparser=dataparser))
    with pytest.raises(ValueError, match=r"transforms_test\.json: expected 'gaze' in every frame"):
        measure_gaze(run, GazeEvaluation())
    run.datamanager.dataparser = SimpleNamespace()
    with pytest.raises(ValueError, match="--gaze: expected a run with its recorded frames"):
        measure_gaze(run, GazeEvaluation())


def test_too_few_training_frames_are_named(pipeline):
    with pytest.raises(
        ValueError, match=r"transforms_train.json: gaze estimator: expected at least 12 frames .* got 3"
    ):
        measure_gaze(pipeline, GazeEvaluation(calibration_frames=3))


@pytest.mark.parametrize("targets", [GazeTargets((), (0.0,)), GazeTargets((0.0,), (95.0,))])
def test_gazes_that_no_eye_reaches(targets):
    with pytest.raises(ValueError, match=r"--gaze-(pitch|yaw)-deg: expected angles between -90 and 90"):
        targets.pairs()


def picture(target, error, energy, inside):
    return RedirectedPicture(target, (target[0] + 1, target[1] - 2), error, 1.0, HeadMotion(0.1, 0.2), inside, energy)


def frame(name, is_open, *pictures):
    scores = {"full": {"psnr": 30.0, "ssim": 0.9, "l1": 0.1, "lpips": None}}
    return RedirectedFrame(name, scores, 1.5 if is_open else 40.0, is_open, pictures)


FRAMES = [
    frame("a", True, picture((0.0, -20.0), 2.0, 10.0, 9.0), picture((0.0, 20.0), 4.0, 10.0, 8.0)),
    frame("b", True, picture((0.0, -20.0), 3.0, 20.0, 20.0), picture((0.0, 20.0), 7.0, 0.0, 0.0)),
    frame("c", False),
]


def test_figures_are_means_over_open_eyes():
    """Energies are added up before they are divided."""
    figures = gaze_figures(FRAMES)
    assert figures["gaze_error_deg"] == 4.0 and figures["estimator_error_deg"] == 1.5
    assert figures["eyes_box_energy"] == pytest.approx(37 / 40) and figures["reaches_energy_bar"]
    left, right = figures["targets"]
    assert (left["pitch_deg"], left["yaw_deg"], left["error_deg"], left["found_yaw_deg"]) == (0.0, -20.0, 2.5, -22.0)
    assert right["eyes_box_energy"] == 0.8 and figures["psnr"] == 30.0 and figures["lpips"] is None
    assert frame_figures(FRAMES)["b"]["pictures"][1]["error_deg"] == 7.0


def test_gaze_without_effect_reaches_no_bar():
    figures = gaze_figures([frame("a", True, picture((0.0, 0.0), 2.0, 0.0, 0.0))])
    assert figures["eyes_box_energy"] is None and not figures["reaches_energy_bar"]


def test_no_open_eyes():
    with pytest.raises(ValueError, match="found no open eyes in any of the 1 recorded frames"):
        gaze_figures(FRAMES[2:])


def test_table_and_curves():
    figures = gaze_figures(FRAMES)
    table = gaze_table(figures, "title")
    assert table.row_count == 3
    cells = [list(column.cells) for column in table.columns]
    assert [column[0] for column in cells] == [
        "+0°",
        "-20°",
        "+1.0°",
        "-22.0°",
        "2.50°",
        "0.100°",
        "0.200 px",
        "96.7 %",
    ]
    assert gaze_plot(figures, "title").startswith(b"\x89PNG")


def test_sheet_has_every_gaze_at_its_place(tmp_path):
    """Up is up, the subject's left is right; the second frame's eyes are shut."""
    sheets = GazeSheets(tmp_path, TARGETS)
    for name in ("test/f_0", "test/f_1"):
        for pitch, yaw in TARGETS.pairs():
            value = (pitch + 10) / 40 + (yaw + 15) / 60
            sheets.add(name, (pitch, yaw), torch.full((8, 60, 3), value) if name == "test/f_0" else None)
    assert [path.name for path in tmp_path.iterdir()] == ["f_0_gaze.png"]
    sheet = np.array(Image.open(tmp_path / "f_0_gaze.png"))
    strip = len(sheet) // 2 - 8
    rows = [sheet[strip + 4, :, 0], sheet[2 * strip + 12, :, 0]]
    assert [[int(row[4]), int(row[64])] for row in rows] == [[115, 242], [64, 191]]


def test_finder_is_closed_when_a_measurement_breaks_off(pipeline, monkeypatch):
    """MediaPipe's model has to be freed before the program ends."""
    closed = []
    monkeypatch.setattr(FittedIrises, "close", lambda self: closed.append(self))

    def stop(*told):
        """Break off as Ctrl-C does."""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_gaze(pipeline, GazeEvaluation(targets=TARGETS), None, stop)
    assert len(closed) == 1
