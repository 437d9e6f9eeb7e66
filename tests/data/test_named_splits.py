import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_face import coded_image, tiny_file, write_tiny_face

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.frame_json import write_frame_file
from nerface_ns.engine.more_frames import frame_rows


@pytest.fixture
def face(tmp_path):
    return write_tiny_face(tmp_path / "face", masks=False)


def write_split(root, **splits):
    (root / "split.json").write_text(json.dumps(splits))
    return root


def read(root, **settings):
    return NeRFaceDataParserConfig(data=root, **settings).setup().sequence


def test_frames_go_where_they_are_named(face):
    """By the whole name or by its last part, across the format's own splits; expressions go with them; one is left."""
    held_out = {"val": ["./train/f_0005"], "test": ["f_0001.png", "f_0006", "f_0002"]}
    write_split(face, train=["val/f_0003", "f_0000", "f_0008"], **held_out)
    sequence = read(face)
    names = {split: frames.frame_names for split, frames in sequence.splits.items()}
    assert names == {
        "train": ["val/f_0003", "train/f_0000", "test/f_0008"],
        "val": ["train/f_0005"],
        "test": ["train/f_0001", "val/f_0006", "train/f_0002"],
    }
    np.testing.assert_allclose(sequence.splits["train"].expression[:, 0], [0.3, 0.0, 0.8], rtol=1e-6)
    # Frames 4 and 7 are nowhere: seven frames, in the order of their numbers.
    assert sequence.times["train"] * 6 == pytest.approx([3, 0, 6])
    assert sequence.times["test"] * 6 == pytest.approx([1, 5, 2])


@pytest.mark.parametrize("word", ["val", "validation", "test"])
def test_one_held_out_split_stands_for_both(face, word):
    sequence = read(write_split(face, train=["f_0000", "f_0001"], **{word: ["f_0002"]}))
    assert sequence.splits["val"].frame_names == sequence.splits["test"].frame_names == ["train/f_0002"]
    assert sequence.times["val"] == pytest.approx([1.0])


def test_one_file_of_all_frames(face):
    """`transforms.json` alone needs no settings beside the split file, which may have another name and place."""
    for file in face.glob("transforms_*.json"):
        file.unlink()
    write_frame_file(face / "transforms.json", tiny_file([0, 1, 2, 4, 5], "train"))
    (face / "mine.json").write_text(json.dumps({"train": ["f_0000", "f_0004"], "val": ["f_0002"]}))
    sequence = read(face, split_file=face / "mine.json")
    assert sequence.splits["train"].frame_names == ["train/f_0000", "train/f_0004"]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (
            {"train": ["f_0000", "f_0099"], "val": ["f_0001"]},
            r"json: train: expected the name of one of the 9 frames, such as 'train/f_0000', got 'f_0099': no such",
        ),
        (
            {"train": ["f_0000"], "val": ["f_0001", "f_0000"]},
            r"expected each frame once, got 'f_0000' in train and in val",
        ),
        ({"train": ["f_0000", "f_0000"], "val": ["f_0001"]}, r"got 'f_0000' in train and in train"),
        ({"train": ["f_0000"], "val": ["train/f_0000"]}, r"got 'train/f_0000' as 'f_0000' and as 'train/f_0000'"),
        ({"train": [], "val": ["f_0001"]}, r"expected frames in train, and in val or test, got 0 in train, 1 in val"),
        ({"train": ["f_0001"]}, "and in val or test"),
        ({"train": "f_0001", "val": ["f_0000"]}, "'train' expected a list of frame names, got \"f_0001\""),
        ({"train": ["f_0001"], "val": ["f_0000"], "trian": []}, "expected the splits train, val .* got 'trian'"),
    ],
)
def test_bad_split_files(face, splits, message):
    with pytest.raises(ValueError, match=message):
        read(write_split(face, **splits))


def test_split_file_that_is_not_there(face):
    with pytest.raises(FileNotFoundError, match=r"mine.json: expected the split_file here, found none"):
        read(face, split_file=Path("mine.json"))


def test_appended_clip(face):
    """A second clip's frames, in a folder of their own, join the training; old frames keep their codes by name."""
    held_out = ["f_0007", "f_0008"]
    before = read(write_split(face, train=["f_0000", "f_0001", "f_0002"], test=held_out))
    clip = tiny_file([20, 21], "clip2")
    (face / "clip2").mkdir()
    for number in (20, 21):
        Image.fromarray(coded_image(number)).save(face / "clip2" / f"f_{number:04d}.png")
    longer = tiny_file([0, 1, 2, 4, 5], "train")
    longer.frames.extend(clip.frames)
    write_frame_file(face / "transforms_train.json", longer)
    after = read(write_split(face, train=["f_0020", "f_0000", "f_0001", "f_0002", "f_0021"], test=held_out))
    names = [sequence.splits["train"].frame_names for sequence in (before, after)]
    assert frame_rows(face, *names) == [-1, 0, 1, 2, -1]


def test_appended_clip_with_the_same_file_names(face):
    """Last parts that are two frames' are refused; whole names tell them apart."""
    (face / "clip2").mkdir()
    Image.fromarray(coded_image(20)).save(face / "clip2" / "f_0000.png")
    longer = tiny_file([0, 1, 2, 4, 5], "train")
    longer.frames.extend(tiny_file([0], "clip2").frames)
    write_frame_file(face / "transforms_train.json", longer)
    with pytest.raises(ValueError, match=r"got 'f_0000': 2 of that name, such as train/f_0000"):
        read(write_split(face, train=["f_0000", "f_0001"], test=["f_0002"]))
    sequence = read(write_split(face, train=["train/f_0000", "clip2/f_0000"], test=["f_0002"]))
    assert sequence.splits["train"].frame_names == ["train/f_0000", "clip2/f_0000"]
    assert all(np.isfinite(times).all() for times in sequence.times.values())
