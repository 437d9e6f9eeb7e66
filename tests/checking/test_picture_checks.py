from __future__ import annotations

import shutil

import numpy as np
import pytest
from made_up_head import SIZE, write_head
from PIL import Image

from nerface_ns.checking.contact_sheet import contact_sheet
from nerface_ns.checking.dataset_check import check_dataset
from nerface_ns.checking.picture_checks import check_background, check_files, check_mattes
from nerface_ns.checking.scene_checks import check_boxes, check_near_far, check_turn
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_head(tmp_path_factory.mktemp("head") / "subject")


@pytest.fixture
def root(original, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(original, tmp_path / "subject")


def parser_of(root, **settings):
    parser = NeRFaceDataParserConfig(data=root, **settings).setup()
    parser.tells_errors = False
    return parser


def problems(findings) -> list[tuple[str, str | None]]:
    return [(finding.status, finding.problem) for finding in findings if finding.problem]


def test_good_recording_passes(original):
    findings = check_dataset(parser_of(original))
    assert problems(findings) == []
    assert {finding.status for finding in findings} == {"ok"}


def test_cut_off_picture_is_corrupt(root):
    path = root / "train" / "f_0012.png"
    path.write_bytes(path.read_bytes()[:900])
    (finding,) = check_files(parser_of(root).sequence)
    assert (finding.status, finding.problem) == ("fail", "corrupt")
    assert "1 of 60 pictures cannot be read" in finding.detail and "f_0012.png" in finding.detail


def test_missing_picture_ends_the_reading(root):
    (root / "test" / "f_0055.png").unlink()
    (finding,) = check_dataset(parser_of(root))
    assert (finding.check, finding.status) == ("reading", "fail") and "f_0055" in finding.detail


def test_test_pictures_in_training_are_a_leak(root):
    shutil.copy(root / "train" / "f_0012.png", root / "test" / "f_0055.png")
    _, finding = check_files(parser_of(root).sequence)
    assert (finding.status, finding.problem) == ("fail", "leak") and "test/f_0055" in finding.detail


def test_repeated_pictures(root):
    for number in (13, 15, 16):
        shutil.copy(root / "train" / "f_0012.png", root / "train" / f"f_{number:04d}.png")
    _, finding = check_files(parser_of(root).sequence)
    assert (finding.status, finding.problem) == ("warn", "duplicates") and finding.figures["repeated"] == 3


def shift_pictures(root) -> None:
    """Roll each picture by another amount, as a hand-held camera would."""
    for number, path in enumerate(sorted((root / "train").glob("*.png"))):
        Image.fromarray(np.roll(np.asarray(Image.open(path)), number, axis=1)).save(path)


@pytest.mark.parametrize("use_masks", [True, False])
def test_moving_background(root, use_masks):
    assert problems(check_background(parser_of(root, use_masks=use_masks).sequence)) == []
    shift_pictures(root)
    findings = check_background(parser_of(root, use_masks=use_masks).sequence)
    assert ("warn", "moving-background") in problems(findings)


def test_wrong_photograph(root):
    Image.fromarray(np.full((SIZE, SIZE, 3), 7, dtype=np.uint8)).save(root / "bg" / "00050.png")
    assert problems(check_background(parser_of(root).sequence)) == [("warn", "photograph")]


def test_inverted_mattes(root):
    for path in (root / "masks" / "train").glob("*.png"):
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert problems([check_mattes(parser_of(root).sequence)]) == [("fail", "matte")]


def test_empty_matte(root):
    Image.fromarray(np.zeros((SIZE, SIZE), dtype=np.uint8)).save(root / "masks" / "train" / "f_0000.png")
    finding = check_mattes(parser_of(root).sequence)
    assert problems([finding]) == [("warn", "matte")] and "f_0000 has a matte that is empty" in finding.detail


def test_planes_that_cut_the_head(original):
    assert problems([check_near_far(parser_of(original))]) == []
    assert problems([check_near_far(parser_of(original, near=0.6, far=0.9))]) == [("fail", "near-far")]
    assert problems([check_near_far(parser_of(original, near=0.43, far=0.9))]) == [("warn", "near-far")]
    assert problems([check_near_far(parser_of(original, scene_box=(0.2, 0.2, 0.2, 0.3, 0.3, 0.3)))]) == [
        ("fail", "scene-box")
    ]


def test_boxes_in_another_order(original):
    """x before y: the head's middle is no longer inside."""
    sequence = parser_of(original).sequence
    assert problems([check_boxes(sequence)]) == []
    test = sequence.splits["test"]
    test.face_boxes = np.stack([[0.0, 0.1, 0.0, 0.1]] * len(test))
    finding = check_boxes(sequence)
    assert problems([finding]) == [("fail", "boxes")] and "0% of the test frames" in finding.detail


def test_head_turn_in_degrees(original):
    finding = check_turn(parser_of(original).sequence)
    assert finding.status == "ok"
    assert finding.figures["yaw_deg"] == pytest.approx(70, abs=4)
    assert finding.figures["pitch_deg"] == pytest.approx(28, abs=4)


def test_little_turn(tmp_path):
    sequence = parser_of(write_head(tmp_path / "still", turn=0.1)).sequence
    assert problems([check_turn(sequence)]) == [("warn", "little-turn")]


def test_contact_sheet_shows_boxes_and_axes(original):
    """Twelve tiles of 256 pixels with a line above each; the first tile's face box is where the file has it."""
    sequence = parser_of(original).sequence
    sheet = contact_sheet(sequence)
    assert sheet.shape == (3 * (256 + 20), 4 * 256, 3)
    y0, _, x0, _ = (int(value) for value in sequence.splits["train"].face_boxes[0] * 256)
    assert sheet[20 + y0, x0 + 3].tolist() == [60, 220, 60]
    assert (sheet == (235, 60, 60)).all(axis=-1).any() and (sheet == (80, 130, 255)).all(axis=-1).any()
