from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_face import coded_image, edit_json, look_at_origin

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.face_rays import FaceRayGenerator

NUM_FRAMES = 10
RECT = [4, 2, 8, 7]


def stored_pose(number: int) -> np.ndarray:
    return look_at_origin(np.array([0.1 * np.sin(number), 0.02 * number, 0.8]))


def write_frames(path: Path, numbers: range, first_id: int) -> None:
    frames = [
        {
            "img_id": first_id + number,
            "aud_id": first_id + number,
            "transform_matrix": stored_pose(number).tolist(),
            "face_rect": RECT,
        }
        for number in numbers
    ]
    path.write_text(json.dumps({"focal_len": 50.0, "cx": 8.0, "cy": 6.0, "frames": frames}))


@pytest.fixture
def adnerf(tmp_path):
    """Ten frames whose images are named by their place in the list."""
    root = tmp_path / "person"
    (root / "frames").mkdir(parents=True)
    write_frames(root / "transforms_val.json", range(NUM_FRAMES), first_id=100)
    np.save(root / "exp.npy", np.arange(NUM_FRAMES * 4, dtype=np.float32).reshape(NUM_FRAMES, 4))
    Image.fromarray(coded_image(200)).save(root / "bc.jpg")
    for number in range(NUM_FRAMES):
        Image.fromarray(coded_image(number)).save(root / "frames" / f"{number}.jpg")
    return root


def parse(root: Path, split: str = "train", **settings):
    settings = {"num_val_frames": 2, "test_fraction": 0.2, **settings}
    return ADNeRFDataParserConfig(data=root, **settings).setup().get_dataparser_outputs(split)


def test_last_frames_are_the_test_split(adnerf):
    ids = {split: parse(adnerf, split).metadata["frame_names"] for split in ("train", "val", "test")}
    assert ids["test"] == ["108", "109"]
    assert ids["val"] == ["102", "106"]
    assert ids["train"] == ["100", "101", "103", "104", "105", "107"]
    assert parse(adnerf, "test").cameras.times[:, 0].tolist() == pytest.approx([8 / 9, 1.0])


def test_image_and_coefficients_of_a_frame(adnerf):
    outputs = parse(adnerf)
    assert [path.name for path in outputs.image_filenames] == ["0.jpg", "1.jpg", "3.jpg", "4.jpg", "5.jpg", "7.jpg"]
    assert outputs.cameras.metadata["expression"][2].tolist() == [12, 13, 14, 15]
    assert outputs.metadata["background_filename"] == adnerf / "bc.jpg"


def test_face_rect_is_x_y_width_height(adnerf):
    box = parse(adnerf).metadata["face_boxes"][0]
    torch.testing.assert_close(box, torch.tensor([2 / 12, 9 / 12, 4 / 16, 12 / 16]))


def test_rays_follow_the_format(adnerf):
    """AD-NeRF's ray of pixel (i, j) is R [(i - cx) / f, -(j - cy) / f, -1]: no half pixel."""
    generator = FaceRayGenerator(parse(adnerf).cameras)
    row, column = np.array([0, 5, 11]), np.array([0, 8, 15])
    for index, number in enumerate([0, 1, 3, 4, 5, 7]):
        local = np.stack([(column - 8.0) / 50, -(row - 6.0) / 50, -np.ones(3)], axis=-1)
        expected = local @ stored_pose(number)[:3, :3].T
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        rays = generator(torch.from_numpy(np.stack([np.full(3, index), row, column], axis=-1)))
        np.testing.assert_allclose(rays.directions.numpy(), expected, atol=1e-6)


def test_world_is_moved_and_scaled_as_the_outputs_say(adnerf):
    """The saved transform brings the cameras back to the stored world, and their mean distance is the one asked."""
    outputs = parse(adnerf)
    poses = outputs.cameras.camera_to_worlds
    assert poses[:, :, 3].norm(dim=-1).mean().item() == pytest.approx(0.5)
    back = outputs.transform_poses_to_original_space(poses, camera_convention="opengl")
    expected = np.stack([stored_pose(number)[:3] for number in [0, 1, 3, 4, 5, 7]])
    np.testing.assert_allclose(back.numpy(), expected, atol=1e-6)


def test_stored_world_may_be_kept(adnerf):
    expected = np.stack([stored_pose(number)[:3] for number in [0, 1, 3, 4, 5, 7]])
    got = parse(adnerf, camera_distance=None).cameras.camera_to_worlds
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-7)


def test_original_layout(tmp_path):
    """Training frames come before validation frames, images are named by id, coefficients are the tracker's."""
    root = tmp_path / "person"
    (root / "com_imgs").mkdir(parents=True)
    write_frames(root / "transforms_train.json", range(7), first_id=20)
    write_frames(root / "transforms_val.json", range(7, NUM_FRAMES), first_id=20)
    torch.save({"exp": torch.arange(NUM_FRAMES * 2.0).reshape(NUM_FRAMES, 2)}, root / "track_params.pt")
    for number in range(NUM_FRAMES):
        Image.fromarray(coded_image(number)).save(root / "com_imgs" / f"{20 + number}.jpg")
    outputs = parse(root, "test")
    assert [path.name for path in outputs.image_filenames] == ["28.jpg", "29.jpg"]
    assert outputs.cameras.metadata["expression"].tolist() == [[16, 17], [18, 19]]
    assert outputs.metadata["background_filename"] is None


def test_wrong_number_of_coefficient_rows(adnerf):
    np.save(adnerf / "exp.npy", np.zeros((NUM_FRAMES - 1, 4), dtype=np.float32))
    with pytest.raises(ValueError, match=r"exp\.npy: expected 10 rows, one for each frame, got 9"):
        parse(adnerf)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["frames"][3].pop("face_rect"), r"frame 3: expected key 'face_rect'"),
        (lambda c: c["frames"][3].__setitem__("face_rect", [4, 2, 20, 7]), r"frame \d \(103\): expected face box"),
        (
            lambda c: c["frames"][3]["transform_matrix"][0].__setitem__(3, float("nan")),
            r"\(103\): expected a finite pose",
        ),
        (lambda c: c.pop("focal_len"), r"expected key 'focal_len'"),
        (lambda c: c.__setitem__("frames", []), r"expected at least one frame, got none"),
    ],
)
def test_malformed_file(adnerf, edit, message):
    edit_json(adnerf / "transforms_val.json", edit)
    with pytest.raises(ValueError, match=message):
        parse(adnerf)


def test_missing_image(adnerf):
    (adnerf / "frames" / "5.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"\(105\): expected image .*5\.jpg, found none"):
        parse(adnerf)


@pytest.mark.parametrize(
    ("name", "message"),
    [("exp.npy", "expected coefficients in exp.npy or track_params.pt"), ("transforms_val.json", "found neither")],
)
def test_missing_file(adnerf, name, message):
    (adnerf / name).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        parse(adnerf)


def test_reference_person(shared_data):
    outputs = parse(shared_data / "adnerf_obama", "test", test_fraction=0.15, num_val_frames=8, resolution=112)
    assert len(outputs.image_filenames) == 109
    assert outputs.metadata["train_expression"].shape == (611, 79)
    assert outputs.metadata["image_size"] == (112, 112)


@pytest.fixture
def er_nerf(tmp_path):
    """The layout of RAD-NeRF and ER-NeRF without sound: action units, images in gt_imgs, landmarks, no rectangles."""
    root = tmp_path / "speaker"
    (root / "gt_imgs").mkdir(parents=True)
    (root / "ori_imgs").mkdir()
    for name, numbers in (("train", range(7)), ("val", range(7, NUM_FRAMES))):
        write_frames(root / f"transforms_{name}.json", numbers, first_id=0)
        edit_json(root / f"transforms_{name}.json", lambda c: [frame.pop("face_rect") for frame in c["frames"]])
    header = "frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU45_r, AU01_c, AU12_c"
    rows = [f"{i + 1}, 0, {i / 25}, 0.98, 1, {i / 10}, {5 - i / 10}, 0.5, 0.00, 1.00" for i in range(NUM_FRAMES)]
    (root / "au.csv").write_text("\n".join([header, *rows]) + "\n")
    for number in range(NUM_FRAMES):
        Image.fromarray(coded_image(number)).save(root / "gt_imgs" / f"{number}.jpg")
        points = np.stack(np.meshgrid(np.linspace(6, 10, 17), np.linspace(4, 8, 4)), axis=-1).reshape(68, 2)
        np.savetxt(root / "ori_imgs" / f"{number}.lms", points, "%f")
    return root


def test_action_units_are_the_expression(er_nerf):
    outputs = parse(er_nerf, "test")
    assert outputs.metadata["expression_names"] == ("AU01", "AU12", "AU45")
    expected = torch.tensor([[0.8, 4.2, 0.5], [0.9, 4.1, 0.5]])
    torch.testing.assert_close(outputs.cameras.metadata["expression"], expected)
    assert [path.relative_to(er_nerf).as_posix() for path in outputs.image_filenames] == [
        "gt_imgs/8.jpg",
        "gt_imgs/9.jpg",
    ]


def test_face_box_comes_from_the_landmarks(er_nerf):
    box = parse(er_nerf).metadata["face_boxes"][0].numpy() * [12, 12, 16, 16]
    radius = np.hypot(2, 2)
    np.testing.assert_allclose(
        box, [6 - 1.44 * radius, 6 + 0.96 * radius, 8 - 1.2 * radius, 8 + 1.2 * radius], atol=1e-4
    )


def test_action_units_beside_coefficients_have_to_be_asked_for(er_nerf):
    np.save(er_nerf / "exp.npy", np.zeros((NUM_FRAMES, 4), dtype=np.float32))
    assert parse(er_nerf).metadata["train_expression"].shape[1] == 4
    assert parse(er_nerf, expression="au.csv").metadata["train_expression"].shape[1] == 3


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "\n".join(text.splitlines()[:-1]), r"au\.csv: expected a row for img_id 9, got rows 0\.\.8"),
        (lambda text: text.replace("_r", "_x"), r"au\.csv: expected columns of action unit intensities"),
        (lambda text: text.replace(" 4.6,", " much,"), r"au\.csv: expected a number in every column"),
        (lambda text: "", r"au\.csv: expected columns"),
    ],
)
def test_malformed_action_units(er_nerf, edit, message):
    path = er_nerf / "au.csv"
    path.write_text(edit(path.read_text()))
    with pytest.raises(ValueError, match=message):
        parse(er_nerf)
