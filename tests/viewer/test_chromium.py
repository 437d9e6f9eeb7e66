"""The page in a real browser. README's picture of it comes from here:

NERFACE_VIEWER_RUN=RUN/config.yml NERFACE_VIEWER_PICTURE=docs/viewer.png pytest tests/viewer/test_chromium.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from chromium_page import ChromiumPage, chromium_page, missing_browser
from PIL import Image
from tiny_viewer import leave_icons_out, stop_rendering

from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence

REASON = missing_browser()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
RUN, PICTURE = os.environ.get("NERFACE_VIEWER_RUN"), os.environ.get("NERFACE_VIEWER_PICTURE")
FINEST = 128 if RUN is None else 512
"""Pixels along a finished picture's longer side."""
STILL_S = 0.6
"""A picture is finished when nothing was rendered for so long: nerfstudio makes it finer twice, 0.2 s after each."""


def train(folder: Path) -> Path:
    """A run of a few seconds: blurred, but its mouth opens."""
    from rich.console import Console

    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.training_config import training_config
    from nerface_ns.scripts.run_steps import train_with_progress

    config = DemoSequenceConfig(32, num_train=24, num_val=1, num_test=1, num_nvs=0, samples=1, mesh_density=0.3)
    write_demo_sequence(folder / "head", config)
    options = ["--max-num-iterations", "200", "--pipeline.datamanager.train-num-rays-per-batch", "128"]
    options += ["--pipeline.datamanager.pixel-sampler.region-share", "0.5", "--machine.device-type", "cpu"]
    options += ["--pipeline.datamanager.pixel-sampler.growth-steps", "0"]
    options += ["--pipeline.model.intervals-across-box", "32"]
    # Fine enough for 32 pixels; most of a step would go to what no ray meets.
    options += ["--pipeline.model.radiance-field.canonical-grid.resolutions", "16", "32"]
    options += ["--pipeline.model.occupancy.resolution", "32"]
    with quiet_nerfstudio():
        training = training_config("nerface", folder / "runs", folder / "head", "nerface-data", overrides=options)
        _, report = train_with_progress(training, 600.0, Console(quiet=True))
    return report.config_path


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """nerfstudio's viewer on a run, as `ns-viewer` starts it."""
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.scripts.render_live import open_viewer

    folder = tmp_path_factory.mktemp("viewer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        if RUN is None:
            leave_icons_out(patch)
        path = train(folder) if RUN is None else Path(RUN)
        config, pipeline, _, step = load_run(path)
        viewer = open_viewer(config, pipeline, step, path.parent, "127.0.0.1", None)
        viewer.control_panel._max_res.value = FINEST
        yield viewer
        stop_rendering(viewer)
        viewer.viser_server.stop()


@pytest.fixture(scope="module")
def page(viewer: Any) -> Iterator[ChromiumPage]:
    with chromium_page(viewer.viser_server.get_port(), (1280, 860)) as page:
        page.slider("jawOpen")
        yield page


@pytest.fixture(scope="module")
def middle_frame(viewer: Any) -> int:
    positions = viewer.pipeline.datamanager.train_dataset.cameras.camera_to_worlds[:, :, 3]
    return int((positions - positions.mean(dim=0)).norm(dim=1).argmin())


def finished_view(page: ChromiumPage, viewer: Any, has_come: Callable[[], bool] = lambda: True) -> np.ndarray:
    """The 3D view when a change has come from the page, and nothing finer will come for it.

    The browser itself draws the same picture at changing resolutions, so its pixels do not tell.
    """
    page.wait_for(has_come, "what was asked of it")
    since_s = time.monotonic()

    def is_finished() -> bool:
        nonlocal since_s
        machines = list(viewer.render_statemachines.values())
        is_busy = any(m.state != "high" or m.next_action or m.render_trigger.is_set() for m in machines)
        if is_busy or viewer.train_lock.locked() or not machines:
            since_s = time.monotonic()
        return time.monotonic() - since_s > STILL_S

    page.wait_for(is_finished, "a finished picture", seconds=120)
    return page.view().astype(np.float32)


def recorded_part(view: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What of a view the recorded image shows, at its size: as high as the view, in its middle."""
    width = round(view.shape[0] * shape[1] / shape[0])
    left = (view.shape[1] - width) // 2
    return cv2.resize(view[:, left : left + width], (shape[1], shape[0]), interpolation=cv2.INTER_AREA)


def test_the_panel_is_there(page: ChromiumPage):
    labels = page.labels()
    assert {"Driven by", "Find", "jawOpen", "mouthSmileLeft", "eyeBlinkRight", "browInnerUp"} <= set(labels)
    assert labels.index("jawOpen") < labels.index("browInnerUp")


def test_the_page_opens_on_the_face(page: ChromiumPage, viewer: Any, middle_frame: int):
    """Upright and framed as recorded: like the middle training image, unlike it mirrored or upside down."""
    view = finished_view(page, viewer) / 255
    recorded = viewer.pipeline.datamanager.train_dataset[middle_frame]["image"][..., :3].numpy()
    shown = recorded_part(view, recorded.shape[:2])
    errors = [np.abs(shown - turned).mean() for turned in (recorded, recorded[:, ::-1], recorded[::-1])]
    assert errors[0] < 0.12 and errors[0] < 0.6 * min(errors[1:]), errors


def test_jaw_open_changes_the_picture_around_the_mouth(page: ChromiumPage, viewer: Any, middle_frame: int):
    dataset = viewer.pipeline.datamanager.train_dataset
    y0, y1, x0, x1 = dataset.metadata["region_boxes"]["mouth"][middle_frame].tolist()
    driver, views = viewer.pipeline.model.face_panel.driver, []
    for key, is_there in (("HOME", lambda jaw: jaw < 0), ("END", lambda jaw: jaw > 0.9)):
        page.move_slider("jawOpen", key)
        jaw_open = lambda is_there=is_there: is_there(driver.state.expression[0])  # noqa: E731
        views.append(finished_view(page, viewer, jaw_open))
    size = 200
    change = np.abs(recorded_part(views[1] - views[0], (size, size))).mean(axis=-1)
    rows, columns = slice(round(y0 * size), round(y1 * size)), slice(round(x0 * size), round(x1 * size))
    mouth = float(change[rows, columns].mean())
    forehead, corner = float(change[: round(0.3 * size)].mean()), float(change[:, : size // 8].mean())
    assert mouth > 4 and mouth > 2 * forehead and mouth > 3 * corner, (mouth, forehead, corner)
    if PICTURE is not None:
        page.browser.execute_script("document.querySelector('img')?.remove()")  # nerfstudio's logo, not here
        Image.fromarray(page.screenshot()).save(PICTURE, optimize=True)


def test_the_other_tabs(page: ChromiumPage, viewer: Any):
    page.click("Frames")
    page.move_slider("Frame", "END")
    driver = viewer.pipeline.model.face_panel.driver
    page.wait_for(lambda: driver.state.frame == len(driver.train_expression) - 1, "the last frame")
    np.testing.assert_array_equal(driver.shown_expression, driver.train_expression[-1])
    page.click("Track")
    page.click("\u25b6 Play")
    page.wait_for(lambda: driver.player.is_playing, "a playing track")
    page.click("\u23f8 Pause")
    page.wait_for(lambda: not driver.player.is_playing, "a standing track")
    assert driver.state.mode == "track"
    page.click("Look")
    page.wait_for(lambda: "Latent code" in page.labels(), "the choice of codes")
    assert "jawOpen" not in page.labels()
