import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

# The ball of the models' tests, whose colours tell what the model was told.
sys.path.append(str(Path(__file__).parents[1] / "models"))

from blob_model import make_metadata, make_model
from page_client import PageClient
from tiny_viewer import TinyDataset, leave_icons_out, stop_rendering


@pytest.fixture
def model() -> Any:
    """A ball: red tells its first coefficient, green its latent code."""
    return make_model({**make_metadata(), "expression_names": ("jawOpen", "mouthSmileLeft", "browInnerUp")})


@pytest.fixture
def start_viewer(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start nerfstudio's viewer on the ball, on a free port of this machine, with its scene drawn."""
    from nerfstudio.configs.base_config import ViewerConfig
    from nerfstudio.viewer.viewer import Viewer

    leave_icons_out(monkeypatch)
    started = []

    def start() -> Any:
        dataset = TinyDataset(model.scene_box)
        datamanager = SimpleNamespace(includes_time=True, train_dataset=dataset)
        pipeline = SimpleNamespace(model=model, datamanager=datamanager)
        config = ViewerConfig(websocket_host="127.0.0.1", websocket_port_default=17107, max_num_display_images=2)
        log_file = tmp_path / "run" / "viewer_log.txt"
        viewer = Viewer(config, log_file, tmp_path / "data", pipeline, train_lock=Lock())
        viewer.control_panel._max_res.value = 64  # pixels; finer pictures only take longer
        started.append(viewer)
        viewer.init_scene(dataset, "completed")
        while not viewer.show_images.visible:
            time.sleep(0.01)
        return viewer

    yield start
    for viewer in started:
        stop_rendering(viewer)
        viewer.viser_server.stop()


@pytest.fixture
def viewer(start_viewer: Any) -> Any:
    return start_viewer()


@pytest.fixture
def panel(viewer: Any, model: Any) -> Any:
    return model.face_panel


@pytest.fixture
def page(viewer: Any) -> Iterator[PageClient]:
    with PageClient(viewer.viser_server.get_port()) as client:
        client.widget("jawOpen")
        yield client
