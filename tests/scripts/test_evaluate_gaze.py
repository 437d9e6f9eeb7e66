import json

import pytest
from drawn_eyes import DrawingModel, drawing_pipeline, true_eyes

from nerface_ns.evaluation import run_loader
from nerface_ns.evaluation.gaze_calibration import CalibratedEyes
from nerface_ns.scripts.evaluate import EvaluateCommand, main


def load(monkeypatch, tmp_path, pipeline):
    class Config:
        method_name = "nerface-gaze"

    loaded = (Config(), pipeline, tmp_path / "step-000000009.ckpt", 9)
    monkeypatch.setattr(run_loader, "load_run", lambda *arguments: loaded)


def test_figures_curves_and_pictures_are_written(tmp_path, monkeypatch, capsys):
    pipeline = drawing_pipeline(tmp_path / "data", DrawingModel(), size=96, num_train=14, shut=())
    monkeypatch.setattr(CalibratedEyes, "fitted", true_eyes)
    load(monkeypatch, tmp_path, pipeline)
    command = EvaluateCommand(
        load_config=tmp_path / "config.yml",
        gaze=True,
        gaze_pitch_deg=(0.0,),
        gaze_yaw_deg=(-15.0, 40.0),
        max_frames=1,
        json=tmp_path / "gaze.json",
        output_dir=tmp_path / "pictures",
    )
    main(command)
    record = json.loads((tmp_path / "gaze.json").read_text())
    assert (record["method"], record["step"], record["checkpoint"]) == ("nerface-gaze", 9, "step-000000009.ckpt")
    assert list(record)[-1] == "frames" and record["num_frames"] == 1 and record["image_size"] == [96, 96]
    assert record["targets"][0]["error_deg"] < 3 and record["targets_beyond_training"] == [[0.0, 40.0]]
    written = sorted(
        path.relative_to(tmp_path / "pictures").as_posix() for path in (tmp_path / "pictures").rglob("*.png")
    )
    assert written == ["gaze.png", "test/f_0000_gaze.png"]
    printed = " ".join(capsys.readouterr().out.split())
    assert f"gaze error {record['gaze_error_deg']:.2f} deg; the estimator's own" in printed
    assert "yaw +40 lies outside the trained gazes" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paper": True}, "--gaze and --paper: expected one of them"),
        ({"poses": "aligned"}, "--gaze and --poses aligned: expected --poses as_tracked"),
        ({"background": "white"}, "--gaze and --background white: expected --background recorded"),
        ({"split": ("test", "val")}, "--gaze: expected one --split, got test val"),
        ({"max_frames": 0}, "--max-frames needs to be at least 1, got 0"),
        ({"gaze_height": 0}, "--gaze-height needs to be at least 1, got 0"),
        ({"gaze_yaw_deg": (120.0,)}, "--gaze-yaw-deg: expected angles between -90 and 90"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_loading(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", gaze=True, **options))


def test_run_that_knows_no_gaze_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    pipeline = type("Pipeline", (), {"model": object()})()
    load(monkeypatch, tmp_path, pipeline)
    with pytest.raises(ValueError, match="--gaze: expected a run that is conditioned on gaze"):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", gaze=True))
