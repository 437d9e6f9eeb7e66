import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

# The tiny model whose eyes follow a gaze stands beside the tests of the models.
sys.path.append(str(Path(__file__).parents[1] / "models"))

from blob_model import NUM_FRAMES, make_cameras, train_expression
from gaze_blob import AABB, make_gaze_model, train_gaze
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.avatar.avatar_file import write_avatar
from nerface_ns.avatar.avatar_model import AvatarDataset, build_avatar, load_avatar
from nerface_ns.avatar.exported_avatar import avatar_of


@pytest.fixture(scope="module")
def avatar():
    index = torch.arange(NUM_FRAMES)[:, None]
    metadata = {"frame_index": index, "expression": train_expression(), "gaze": train_gaze()}
    cameras = make_cameras(times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None], metadata=metadata)
    dataset = AvatarDataset(cameras, SceneBox(aabb=AABB))
    pipeline = SimpleNamespace(model=make_gaze_model(), datamanager=SimpleNamespace(train_dataset=dataset))
    return avatar_of("run", pipeline, "nerface-gaze", 3, "none", "none")


def picture(model, yaw: float) -> torch.Tensor:
    gaze = torch.tensor([[0.05, yaw]]).repeat(NUM_FRAMES, 1)
    camera = make_cameras(scale=2.0, metadata={"expression": train_expression(), "gaze": gaze})[3:4]
    return model.get_outputs_for_camera(camera)["rgb"]


def test_eyes_of_an_avatar_follow_as_the_runs_do(avatar, tmp_path):
    """Bit for bit, and within the same range."""
    write_avatar(tmp_path / "a.nerface", avatar)
    before, after = make_gaze_model(), load_avatar(tmp_path / "a.nerface").model
    assert all(torch.equal(picture(before, yaw), picture(after, yaw)) for yaw in (-0.3, 2.0))
    assert not torch.equal(picture(after, -0.3), picture(after, 0.3))
    torch.testing.assert_close(after.gaze_track.expression, train_gaze())


def test_an_avatar_without_gaze_is_refused(avatar):
    avatar.gaze, kept = None, avatar.gaze
    with pytest.raises(ValueError, match="settings and tensors do not make a model: gaze: expected one for each"):
        build_avatar("a.nerface", avatar)
    avatar.gaze = kept
