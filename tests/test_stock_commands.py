"""nerfstudio's own commands, run in this process on a run of three steps of each registered method."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import NUM_STEPS, SIZE, write_head
from stock_runs import METHODS, checkpoint, method_config, ns_train

from nerface_ns.doctor.tool_checks import bundled_ffmpeg

NUM_TRAIN, NUM_TEST = 5, 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head(tmp_path_factory.mktemp("head"), NUM_TRAIN, num_test=NUM_TEST)


@pytest.fixture(scope="module", autouse=True)
def private_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of its own, and imageio-ffmpeg's binary on the path, where nerface-doctor would link it."""
    tools = tmp_path_factory.mktemp("tools")
    (tools / "ffmpeg").symlink_to(bundled_ffmpeg())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module", params=METHODS)
def run(request: pytest.FixtureRequest, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config.yml of a trained run."""
    return ns_train(method_config(request.param, dataset, tmp_path_factory.mktemp("outputs")))


@pytest.fixture(scope="module")
def pipeline(run: Path) -> Any:
    """The run, loaded again as every command but `ns-train` loads it."""
    from nerfstudio.utils.eval_utils import eval_setup

    return eval_setup(run, test_mode="test")[1]


def test_train_writes_a_run_that_loads_safely(run: Path):
    state = checkpoint(run, NUM_STEPS - 1)
    assert state["step"] == NUM_STEPS - 1
    assert list(run.parent.glob("events.*")) and (run.parent / "dataparser_transforms.json").is_file()


def test_reloaded_model_has_the_trained_numbers(run: Path, pipeline: Any):
    trained = checkpoint(run, NUM_STEPS - 1)["pipeline"]
    for name, value in pipeline.state_dict().items():
        torch.testing.assert_close(value.cpu(), trained[name], msg=name)


def test_resumed_training_goes_on(run: Path, dataset: Path, tmp_path: Path):
    """Steps, rates and optimizers continue; the codes go on being learned (NeRFace's release froze them)."""
    name = run.parent.parent.name
    config = method_config(name, dataset, tmp_path)
    config.load_dir, config.max_num_iterations = run.parent / "nerfstudio_models", 2
    before = checkpoint(run, NUM_STEPS - 1)
    after = checkpoint(ns_train(config), NUM_STEPS + 1)
    for group, scheduler in before["schedulers"].items():
        assert scheduler["last_epoch"] == NUM_STEPS and after["schedulers"][group]["last_epoch"] == NUM_STEPS + 2
    steps = [state["optimizers"]["latent_codes"]["state"][0]["step"] for state in (before, after)]
    assert [int(step) for step in steps] == [NUM_STEPS, NUM_STEPS + 2]
    codes = [state["pipeline"]["_model.latent_codes.codes"] for state in (before, after)]
    assert (codes[0] - codes[1]).abs().max() > 0


def test_eval(run: Path, tmp_path: Path):
    from nerfstudio.scripts.eval import ComputePSNR

    ComputePSNR(run, tmp_path / "scores.json", tmp_path / "pictures").main()
    results = json.loads((tmp_path / "scores.json").read_text())["results"]
    for name in ("psnr", "ssim", "l1", "psnr_std"):
        assert math.isfinite(results[name]), name
    assert len(list((tmp_path / "pictures").glob("eval_img_*.png"))) == NUM_TEST


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Raw coefficients that every picture from now on is asked to show; three steps hardly make them visible."""
    from nerface_ns.models.base_face_model import FaceModel

    expressions: list[torch.Tensor] = []
    make_condition = FaceModel.make_condition

    def watched(self: FaceModel, camera_to_world: Any, frame_index: Any, expression: Any, *rest: Any) -> Any:
        expressions.append(self.track.expression[frame_index][0] if expression is None else expression[0])
        return make_condition(self, camera_to_world, frame_index, expression, *rest)

    monkeypatch.setattr(FaceModel, "make_condition", watched)
    return expressions


def read(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def test_render_dataset_writes_every_output(run: Path, pipeline: Any, shown: list[torch.Tensor], tmp_path: Path):
    """By default all outputs are rendered, so each of them must be one that nerfstudio can colour."""
    from nerfstudio.scripts.render import DatasetRender

    DatasetRender(run, output_path=tmp_path, image_format="png").main()
    expression = pipeline.datamanager.eval_dataset.cameras.metadata["expression"]
    torch.testing.assert_close(torch.stack(shown), expression)
    folders = {folder.name for folder in (tmp_path / "test").iterdir()}
    assert {"gt-rgb", "rgb", "depth", "accumulation", "background"} <= folders
    for folder in folders:
        pictures = sorted((tmp_path / "test" / folder).rglob("*.png"))
        assert len(pictures) == NUM_TEST and read(pictures[0]).shape[:2] == (SIZE, SIZE), folder


def test_render_dataset_with_alpha(run: Path, tmp_path: Path):
    from nerfstudio.scripts.render import DatasetRender

    DatasetRender(run, output_path=tmp_path, image_format="png", rendered_output_names=["rgba"], split="train").main()
    pictures = sorted((tmp_path / "train" / "rgba").rglob("*.png"))
    assert len(pictures) == NUM_TRAIN and read(pictures[0]).shape == (SIZE, SIZE, 4)


@pytest.mark.parametrize("source", ["eval", "train"])
def test_render_interpolate(run: Path, pipeline: Any, shown: list[torch.Tensor], tmp_path: Path, source: str):
    """The path's ends are recorded frames, whose expressions it passes."""
    from nerfstudio.scripts.render import RenderInterpolated

    options = {"pose_source": source, "interpolation_steps": 2, "output_format": "images"}
    RenderInterpolated(run, tmp_path / "between.mp4", **options).main()
    dataset = pipeline.datamanager.eval_dataset if source == "eval" else pipeline.datamanager.train_dataset
    expression = dataset.cameras.metadata["expression"]
    expected = torch.stack([expression[:-1], expression[1:]], dim=1).flatten(0, 1)
    assert len(list((tmp_path / "between").glob("*.jpg"))) == len(expected)
    torch.testing.assert_close(torch.stack(shown), expected, atol=1e-3, rtol=0)


def test_render_spiral(run: Path, pipeline: Any, shown: list[torch.Tensor], tmp_path: Path):
    """The recording passes from its start to its end."""
    from nerfstudio.scripts.render import SpiralRender

    SpiralRender(run, tmp_path / "spiral.mp4", seconds=0.1, frame_rate=20, output_format="images").main()
    assert len(list((tmp_path / "spiral").glob("*.jpg"))) == 2
    times = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(torch.stack(shown), pipeline.model.track(times))


def write_camera_path(path: Path, pose: torch.Tensor, times: list[float], **more: Any) -> Path:
    """A camera path as the viewer writes it, a still camera at several times of the track."""
    matrix = torch.cat([pose.cpu(), torch.tensor([[0.0, 0.0, 0.0, 1.0]])]).flatten().tolist()
    keyframes = [{"camera_to_world": matrix, "fov": 30.0, "aspect": 1.5, "render_time": time} for time in times]
    content = {"camera_type": "perspective", "render_height": 16, "render_width": 24, "seconds": 1.0}
    path.write_text(json.dumps({**content, "camera_path": keyframes, "fps": 2, **more}))
    return path


def test_render_camera_path_to_a_video(run: Path, pipeline: Any, shown: list[torch.Tensor], tmp_path: Path):
    import imageio.v3
    from nerfstudio.scripts.render import RenderCameraPath

    pose = pipeline.datamanager.train_dataset.cameras.camera_to_worlds[0]
    path = write_camera_path(tmp_path / "path.json", pose, [0.0, 0.5, 1.0])
    RenderCameraPath(run, tmp_path / "path.mp4", camera_path_filename=path).main()
    frames = imageio.v3.imread(tmp_path / "path.mp4", plugin="FFMPEG")
    assert frames.shape == (3, 16, 24, 3)
    torch.testing.assert_close(torch.stack(shown), pipeline.model.track(torch.tensor([0.0, 0.5, 1.0])))


def test_crop_of_a_camera_path(run: Path, pipeline: Any, tmp_path: Path):
    """A crop that holds nothing shows the crop's own colour, not the background photograph."""
    from nerfstudio.scripts.render import RenderCameraPath

    pose = pipeline.datamanager.train_dataset.cameras.camera_to_worlds[0]
    colour = {"r": 10, "g": 200, "b": 30}
    crop = {"crop_center": [9.0, 9.0, 9.0], "crop_scale": [0.1, 0.1, 0.1], "crop_bg_color": colour}
    path = write_camera_path(tmp_path / "path.json", pose, [0.0], crop=crop)
    options = {"output_format": "images", "image_format": "png", "camera_path_filename": path}
    RenderCameraPath(run, tmp_path / "path.mp4", **options).main()
    picture = read(tmp_path / "path" / "00000.png").astype(int)
    assert np.abs(picture[..., :3] - [10, 200, 30]).max() <= 1


def export_point_cloud(run: Path, output_dir: Path, **options: Any) -> Path:
    """Run `ns-export pointcloud`, which cannot even be imported without libusb."""
    try:
        from nerfstudio.scripts.exporter import ExportPointCloud
    except OSError as error:
        pytest.skip(f"open3d does not load, nerface-doctor says how to mend it: {error}")
    ExportPointCloud(run, output_dir, num_points=200, num_rays_per_batch=256, **options).main()
    return output_dir / "point_cloud.ply"


def opaque_share(pipeline: Any) -> float:
    """Share of training rays that nerfstudio would take for a point."""
    pipeline.eval()
    with torch.no_grad():
        outputs = pipeline.model(pipeline.datamanager.next_train(0)[0])
    return float((outputs["accumulation"] > 0.5).float().mean())


def test_export_point_cloud(run: Path, pipeline: Any, tmp_path: Path):
    if opaque_share(pipeline) < 0.05:
        pytest.skip("nothing is opaque after three steps, and nerfstudio would wait for points for ever")
    path = export_point_cloud(run, tmp_path, normal_method="open3d")
    import open3d

    points = np.asarray(open3d.io.read_point_cloud(str(path)).points)
    near, far = pipeline.model.near, pipeline.model.far
    cameras = pipeline.datamanager.train_dataset.cameras.camera_to_worlds[:, :3, 3].cpu().numpy()
    nearest = np.linalg.norm(points[:, None] - cameras[None], axis=-1).min(axis=1)
    assert len(points) >= 150 and (nearest > 0.5 * near).all() and (nearest < 2 * far).all()


def test_export_asks_for_normals_that_there_are_none_of(run: Path, tmp_path: Path):
    """nerfstudio's default wants a "normals" output; without one it says so and ends."""
    with pytest.raises(SystemExit):
        export_point_cloud(run, tmp_path)


class ViewerStartedError(Exception):
    """Stands in for the endless wait of `ns-viewer`."""


@pytest.fixture
def viewer(run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The viewer that `ns-viewer` starts, on a free port."""
    from nerfstudio.scripts.viewer import run_viewer
    from nerfstudio.utils import writer

    started = []

    def start(*args: Any, **kwargs: Any) -> Any:
        started.append(viewer_class(*args, **kwargs))
        return started[0]

    def stop(seconds: float) -> None:
        raise ViewerStartedError

    for module in ("_gui_api", "_gui_handles"):  # viser takes 0.1 s for each of nerfstudio's icons
        monkeypatch.setattr(f"viser.{module}.svg_from_icon", lambda _: "")
    viewer_class = run_viewer.ViewerState
    monkeypatch.setattr(run_viewer, "ViewerState", start)
    monkeypatch.setattr(run_viewer, "time", SimpleNamespace(sleep=stop))
    settings = run_viewer.ViewerConfigWithoutNumRays(websocket_host="127.0.0.1", websocket_port_default=17007)
    with pytest.raises(ViewerStartedError):
        run_viewer.RunViewer(run, settings).main()
    yield started[0]
    started[0].viser_server.stop()
    for registry in (writer.EVENT_WRITERS, writer.EVENT_STORAGE):
        registry.clear()


def test_viewer_shows_the_expression_of_its_time_slider(viewer: Any):
    """Rendered by the viewer's own thread function, for a client that looks at the head."""
    from nerfstudio.cameras.cameras import CameraType
    from nerfstudio.viewer.render_state_machine import RenderStateMachine
    from nerfstudio.viewer.utils import CameraState

    assert viewer.include_time and viewer.camera_handles
    machine = RenderStateMachine(viewer, 10.0, client=None)
    machine.state = "high"
    viewer.control_panel._max_res.value = 32
    pose = viewer.pipeline.datamanager.train_dataset.cameras.camera_to_worlds[0].cpu()
    pictures = []
    for time in (0.0, 0.6, 0.0):
        viewer.control_panel.time = time
        clicked = viewer.current_camera_idx  # none
        state = CameraState(fov=0.5, aspect=1.0, c2w=pose, camera_type=CameraType.PERSPECTIVE, idx=clicked)
        outputs = machine._render_img(state)
        pictures.append(torch.cat([outputs["foreground"], outputs["accumulation"]], dim=-1))
        assert outputs["rgb"].shape == (32, 32, 3)
    torch.testing.assert_close(pictures[0], pictures[2])
    assert (pictures[0] - pictures[1]).abs().max() > 1e-6
