"""`nerface-cameras` and `nerface-evaluate --poses` on a run of three steps whose corrections are set by hand."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation
from small_runs import small_run, write_head

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.trajectory_alignment import align_trajectories
from nerface_ns.model_components.camera_refinement import SURFACE_DEPTH
from nerface_ns.scripts.cameras import ExportCommand, main
from nerface_ns.scripts.evaluate import EvaluateCommand
from nerface_ns.scripts.evaluate import main as evaluate

NUM_TRAIN = 6


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def refined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config.yml of a run whose third frame's head was turned by 0.1 about x and shifted."""
    refine = "--pipeline.model.camera-refinement"
    options = (f"{refine}.enabled", "True", f"{refine}.refine-principal-point", "True")
    data = write_head(tmp_path_factory.mktemp("head"), NUM_TRAIN)
    config_path = small_run(data, tmp_path_factory.mktemp("outputs"), *options)
    checkpoint = next((config_path.parent / "nerfstudio_models").glob("step-*.ckpt"))
    saved = torch.load(checkpoint, weights_only=True)
    cameras = {name: value for name, value in saved["pipeline"].items() if "camera_optimizer" in name}
    for value in cameras.values():
        value.zero_()
    cameras["_model.camera_optimizer.turn"][2] = torch.tensor([0.1, 0.0, 0.0])
    cameras["_model.camera_optimizer.shift"][2] = torch.tensor([0.0, 0.5, 0.0])
    cameras["_model.camera_optimizer.focal"].fill_(float(np.log(0.9)))
    cameras["_model.camera_optimizer.principal_point"].copy_(torch.tensor([0.02, -0.01]))
    torch.save(saved, checkpoint)
    return config_path


@pytest.fixture(scope="module")
def pipeline(refined: Path) -> Any:
    return load_run(refined)[1]


@pytest.fixture(scope="module")
def exported(refined: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    main(ExportCommand(refined, folder))
    return folder


def test_the_table_tells_the_corrections(exported: Path, pipeline: Any):
    rows = list(csv.DictReader((exported / "corrections.csv").open()))
    assert len(rows) == NUM_TRAIN
    unit = pipeline.model.camera_optimizer.unit
    third = {name: float(rows[2][name]) for name in ("turn_deg", "turn_x_deg", "turn_y_deg", "shift_y", "shift_x")}
    expected = {"turn_deg": np.degrees(0.1), "turn_x_deg": np.degrees(0.1), "turn_y_deg": 0.0}
    # The head turns about its front, so that its centre moves too.
    expected |= {"shift_y": (0.5 + SURFACE_DEPTH * np.sin(0.1)) * unit, "shift_x": 0.0}
    assert third == pytest.approx(expected, abs=1e-4)
    assert max(float(row["turn_deg"]) for row in rows[:2] + rows[3:]) < 1e-3


def test_the_lens_is_told(exported: Path):
    lens = json.loads((exported / "lens.json").read_text())
    assert lens["focal_factor"] == pytest.approx(0.9, abs=1e-6) and lens["k1"] == 0


def test_the_plot_is_a_picture(exported: Path):
    with Image.open(exported / "cameras.png") as image:
        assert image.width > 800 and np.asarray(image.convert("L")).std() > 5


def test_the_dataset_holds_the_refined_cameras(exported: Path, pipeline: Any):
    """Read back as any NerFace dataset, it gives what the model renders from."""
    config = NeRFaceDataParserConfig(data=exported / "dataset")
    written = config.setup().get_dataparser_outputs("train").cameras
    expected = pipeline.model.refined_cameras(pipeline.datamanager.train_dataset.cameras)
    torch.testing.assert_close(written.camera_to_worlds, expected.camera_to_worlds, atol=1e-5, rtol=0)
    for name in ("fx", "fy", "cx", "cy"):
        torch.testing.assert_close(getattr(written, name), getattr(expected, name), atol=1e-3, rtol=0)
    assert torch.equal(written.metadata["expression"], expected.metadata["expression"])


def test_unseen_frames_move_along(exported: Path, pipeline: Any):
    def poses(cameras: Any) -> np.ndarray:
        return cameras.camera_to_worlds.double().numpy()

    tracked = pipeline.datamanager.train_dataset.cameras
    similarity = align_trajectories(poses(tracked), poses(pipeline.model.refined_cameras(tracked)))
    test = pipeline.datamanager.dataparser.get_dataparser_outputs("test").cameras
    written = NeRFaceDataParserConfig(data=exported / "dataset").setup().get_dataparser_outputs("test").cameras
    np.testing.assert_allclose(poses(written), similarity.apply(poses(test)), atol=1e-5)
    assert not np.allclose(poses(written), poses(test), atol=1e-3)


def test_a_dataset_is_not_overwritten(exported: Path, refined: Path):
    with pytest.raises(ValueError, match="expected a folder that is not there yet, found one"):
        main(ExportCommand(refined, exported))


def test_a_run_without_refinement(run: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"config.yml: expected a run with model.camera_refinement.enabled True"):
        main(ExportCommand(run, tmp_path / "exported"))


@pytest.mark.parametrize("poses", ["as_tracked", "aligned", "trajectory"])
def test_scores_say_how_unseen_frames_were_posed(refined: Path, tmp_path: Path, poses: Any, capsys: Any):
    path = tmp_path / "scores.json"
    evaluate(EvaluateCommand(refined, split=("test",), json=path, max_frames=1, poses=poses))
    assert json.loads(path.read_text())["poses"] == poses
    printed = capsys.readouterr().out
    assert f"poses {poses}:" in printed
    assert ("left half" in printed) == (poses == "aligned")


def test_the_head_turns_as_scipy_says(pipeline: Any):
    tracked = pipeline.model.camera_optimizer.tracked[2].double().numpy()
    refined = pipeline.model.frame_poses(torch.tensor([2]))[0].detach().double().numpy()
    turn = refined[:, :3].T @ tracked[:, :3]
    np.testing.assert_allclose(Rotation.from_matrix(turn).as_rotvec(), [0.1, 0.0, 0.0], atol=1e-5)
