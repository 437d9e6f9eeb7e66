from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_face import HEIGHT, WIDTH, coded_alpha, coded_image, tiny_record, write_tiny_face

from nerface_ns.data import face_dataset, frame_store
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.data.face_pixel_sampler import FacePixelSamplerConfig


def make_manager(root: Path, test_mode: str = "val", resolution: int | None = None, **settings):
    dataparser = NeRFaceDataParserConfig(data=root, resolution=resolution)
    settings = {"train_num_rays_per_batch": 200, "eval_num_rays_per_batch": 100, "images_per_batch": 3, **settings}
    return FaceDataManagerConfig(dataparser=dataparser, **settings).setup(test_mode=test_mode)


def test_train_batch_holds_the_pixels_of_its_indices(tiny_face):
    """Each ray's colour and matte are those that the coded images have at its frame, row and column."""
    torch.manual_seed(0)
    rays, batch = make_manager(tiny_face).next_train(0)
    number = torch.tensor([0, 1, 2, 4, 5])[batch["indices"][:, 0]]
    expected = torch.stack([number, batch["indices"][:, 1], batch["indices"][:, 2]], dim=-1) / 255
    torch.testing.assert_close(batch["image"], expected)
    alphas = torch.stack([torch.from_numpy(coded_alpha(n)) for n in range(6)])
    alpha = alphas[number, batch["indices"][:, 1], batch["indices"][:, 2]]
    torch.testing.assert_close(batch["alpha"], alpha[:, None] / 255)
    assert len(batch["indices"][:, 0].unique()) == 3
    assert torch.equal(rays.metadata["frame_index"], batch["indices"][:, :1])
    assert torch.equal(rays.camera_indices, batch["indices"][:, :1])


def test_train_rays_carry_no_expression(tiny_face):
    rays, _ = make_manager(tiny_face).next_train(0)
    assert set(rays.metadata) == {"frame_index", "directions_norm", "pixel_position", "camera_rotation"}


def test_eval_rays_carry_their_conditions(tiny_face):
    rays, batch = make_manager(tiny_face).next_eval(0)
    number = torch.tensor([3, 6])[batch["indices"][:, 0]]
    records = [tiny_record(n, "val") for n in number.tolist()]
    torch.testing.assert_close(rays.metadata["expression"].numpy(), np.stack([r.expression for r in records]))
    torch.testing.assert_close(rays.metadata["gaze"].numpy(), np.stack([r.gaze for r in records]).astype(np.float32))
    assert (rays.metadata["frame_index"] == -1).all()
    torch.testing.assert_close(batch["image"][:, 0], number / 255)


def test_seed_repeats_the_batches(tiny_face):
    manager = make_manager(tiny_face)
    batches = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        batches.append(torch.cat([manager.next_train(step)[1]["indices"] for step in range(3)]))
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


def test_whole_evaluation_images_come_in_order(tiny_face):
    loader = make_manager(tiny_face, "test").fixed_indices_eval_dataloader
    seen = []
    for camera, batch in loader:
        assert camera.shape == (1,)
        seen.append(batch["image_idx"])
        number = [7, 8][batch["image_idx"]]
        torch.testing.assert_close(batch["image"], torch.from_numpy(coded_image(number)) / 255)
        torch.testing.assert_close(batch["alpha"][..., 0], torch.from_numpy(coded_alpha(number)) / 255)
        torch.testing.assert_close(camera.metadata["expression"][0].numpy(), tiny_record(number, "test").expression)
    assert seen == [0, 1]


def test_next_eval_image_is_a_camera_with_its_image(tiny_face):
    camera, batch = make_manager(tiny_face).next_eval_image(0)
    number = [3, 6][batch["image_idx"]]
    assert camera.times.item() == pytest.approx(number / 8)
    assert int(batch["image"][0, 0, 0] * 255) == number


def test_images_without_masks_have_no_alpha(tmp_path):
    manager = make_manager(write_tiny_face(tmp_path / "plain", masks=False, suffix=".jpg"))
    assert "alpha" not in manager.next_train(0)[1]
    assert "alpha" not in manager.eval_dataset[0]


def test_resolution_shrinks_images_and_cameras(tiny_face):
    manager = make_manager(tiny_face, resolution=6)
    assert manager.train_dataset[0]["image"].shape == (6, 8, 3)
    _, batch = manager.next_train(0)
    assert (batch["indices"][:, 1:] < torch.tensor([6, 8])).all()
    assert manager.train_dataset.cameras.height[0].item() == 6


def test_inference_decodes_only_what_is_shown(tiny_face, monkeypatch):
    """A viewer of a trained head builds no store and decodes only the frusta's images."""
    decoded = []
    decode = frame_store.decode_frame
    monkeypatch.setattr(face_dataset, "decode_frame", lambda *args: decoded.append(args[0].name) or decode(*args))
    monkeypatch.setattr(face_dataset, "open_frame_store", lambda *args: pytest.fail("built a store"))
    manager = make_manager(tiny_face, "inference")
    assert manager.train_dataset[2]["image"].shape == (HEIGHT, WIDTH, 3)
    assert decoded == ["f_0002.png"]


def test_evaluation_builds_no_store_for_training(tiny_face, private_cache):
    manager = make_manager(tiny_face, "test")
    assert list(private_cache.rglob("*.npy")) == []
    manager.next_train(0)
    assert len(list(private_cache.rglob("*.npy"))) == 1


def test_truncated_training_image_stops_before_the_first_step(tiny_face):
    path = tiny_face / "train" / "f_0002.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"f_0002\.png: expected a whole image"):
        make_manager(tiny_face)


def test_more_images_asked_for_than_there_are(tiny_face):
    _, batch = make_manager(tiny_face, images_per_batch=50).next_train(0)
    assert len(batch["indices"][:, 0].unique()) == 5


def test_number_of_rays_may_change(tiny_face):
    """`ns-export` sets the attribute on the sampler, and asks for whole batches of step 0."""
    manager = make_manager(tiny_face, test_mode="test")
    manager.train_pixel_sampler.num_rays_per_batch = 33
    assert manager.get_train_rays_per_batch() == 33
    assert len(manager.next_train(0)[0]) == 33


def test_first_steps_have_fewer_rays(tiny_face):
    """An eighth of 200 at first, 25 and half of the rest in the middle of the growth, all from its end on."""
    manager = make_manager(tiny_face, pixel_sampler=FacePixelSamplerConfig(growth_steps=100))
    for step, count in ((0, 25), (50, 112), (99, 198), (100, 200), (5000, 200)):
        rays, batch = manager.next_train(step)
        assert len(rays) == len(batch["image"]) == manager.get_train_rays_per_batch() == count
    assert len(manager.next_eval(0)[0]) == 100


@pytest.mark.parametrize(
    ("name", "value"), [("images_per_batch", 0), ("patch_size", 4), ("train_num_images_to_sample_from", 10)]
)
def test_settings_that_cannot_be_followed(tiny_face, name, value):
    with pytest.raises(ValueError, match=name):
        make_manager(tiny_face, **{name: value})


def test_extra_split_by_name(tmp_path):
    root = write_tiny_face(tmp_path / "s", {"train": [0, 1, 2], "val": [3], "test": [4], "nvs": [1, 2]})
    dataset = make_manager(root, "test").get_split_dataset("nvs")
    assert len(dataset) == 2
    assert int(dataset[1]["image"][0, 0, 0] * 255) == 2


def test_datapath_is_the_folder(tiny_face):
    assert make_manager(tiny_face).get_datapath() == tiny_face


def test_only_the_index_warning_is_silenced(tiny_face):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        manager = make_manager(tiny_face, "test")
        manager.eval_dataset.cameras.generate_rays(camera_indices=0, keep_shape=True)
        warnings.warn("another", UserWarning, stacklevel=1)
    messages = [str(warning.message) for warning in caught]
    assert "another" in messages
    assert not any("non-tuple sequence" in message for message in messages)
