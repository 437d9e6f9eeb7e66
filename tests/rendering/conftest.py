import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from nerfstudio.data.scene_box import SceneBox

# The ball stands beside the tests of the models.
sys.path.append(str(Path(__file__).parents[1] / "models"))

from blob_model import NUM_FRAMES, make_cameras, make_model, train_expression

from nerface_ns.rendering.render_subject import RenderSubject


@pytest.fixture(scope="session")
def blob_pipeline():
    """A pipeline of the ball, whose picture tells what it was asked for."""
    metadata = {"frame_index": torch.arange(NUM_FRAMES)[:, None], "expression": train_expression()}
    cameras = make_cameras(times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None], metadata=metadata)
    box = SceneBox(aabb=torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]]))
    dataset = SimpleNamespace(cameras=cameras, scene_box=box)
    return SimpleNamespace(model=make_model(), datamanager=SimpleNamespace(train_dataset=dataset), device="cpu")


@pytest.fixture
def subject(blob_pipeline):
    """The ball as a person to render."""
    return RenderSubject(blob_pipeline, Path("config.yml"))


@pytest.fixture
def make_subject(blob_pipeline):
    """Makes the ball with options."""
    return lambda **options: RenderSubject(blob_pipeline, Path("config.yml"), **options)
