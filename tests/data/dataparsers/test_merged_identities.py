"""Several persons' folders in one dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_face import edit_json, write_tiny_face

from nerface_ns.data.dataparsers.demo_dataparser import DemoDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_datamanager import draw_by_identity
from nerface_ns.data.merged_identities import split_folders

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Anna has "jawOpen", "smile", "blink"; Ben "Blink", "frown", "jaw_open", and stands twice as far."""
    root = tmp_path_factory.mktemp("people")
    anna, ben = write_tiny_face(root / "anna"), write_tiny_face(root / "ben")

    def change(content: dict) -> None:
        content["expression_names"] = ["Blink", "frown", "jaw_open"]
        for frame in content["frames"]:
            for row in range(3):
                frame["transform_matrix"][row][3] *= 2

    for split in SPLITS:
        edit_json(ben / f"transforms_{split}.json", change)
    return [anna, ben]


def listed(*folders: Path) -> Path:
    return Path(",".join(map(str, folders)))


def outputs_of(data: Path, split: str = "train", **settings):
    parser = NeRFaceDataParserConfig(data=data, **settings).setup()
    parser.tells_errors = False
    return parser.get_dataparser_outputs(split)


def test_each_persons_frames_are_as_they_are_alone(folders: list[Path]):
    merged, alone = outputs_of(listed(*folders)), [outputs_of(folder) for folder in folders]
    assert merged.image_filenames == [*alone[0].image_filenames, *alone[1].image_filenames]
    poses = torch.cat([part.cameras.camera_to_worlds for part in alone])
    torch.testing.assert_close(merged.cameras.camera_to_worlds, poses)
    assert merged.metadata["identity_names"] == ("anna", "ben")
    assert merged.metadata["train_identity"].tolist() == [0] * 5 + [1] * 5
    assert merged.cameras.metadata["identity"].flatten().tolist() == [0] * 5 + [1] * 5
    backgrounds = [part.metadata["background_filename"] for part in alone]
    assert list(merged.metadata["identity_backgrounds"]) == backgrounds
    assert merged.metadata["frame_names"][0].startswith("anna/") and merged.metadata["frame_names"][9][:4] == "ben/"


def test_coefficients_are_matched_by_name(folders: list[Path]):
    """jawOpen is jaw_open; what a person lacks is 0."""
    merged, anna, ben = (outputs_of(data, "val") for data in (listed(*folders), *folders))
    names = merged.metadata["expression_names"]
    assert names == ("jawOpen", "smile", "blink", "frown")
    found = merged.cameras.metadata["expression"]
    first, second = anna.cameras.metadata["expression"], ben.cameras.metadata["expression"]
    zero = torch.zeros(2, 1)
    torch.testing.assert_close(found[:2], torch.cat([first, zero], dim=1))
    torch.testing.assert_close(found[2:], torch.cat([second[:, 2:3], zero, second[:, 0:2]], dim=1))


def test_the_box_holds_everybody(folders: list[Path]):
    merged, alone = outputs_of(listed(*folders)), [outputs_of(folder).scene_box.aabb for folder in folders]
    expected = torch.stack([torch.minimum(alone[0][0], alone[1][0]), torch.maximum(alone[0][1], alone[1][1])])
    torch.testing.assert_close(merged.scene_box.aabb, expected)


def test_recordings_follow_each_other_in_time(folders: list[Path]):
    """9 frames of each: the first person's last frame stands at 8 / 17, the second's first one at 9 / 17."""
    times = {split: outputs_of(listed(*folders), split).cameras.times.flatten() for split in SPLITS}
    found = torch.cat([times[split] for split in SPLITS]).sort().values
    torch.testing.assert_close(found, torch.arange(18) / 17)


def test_a_folder_whose_name_has_a_comma_is_one_person(tmp_path: Path):
    folder = write_tiny_face(tmp_path / "anna,ben")
    assert split_folders(folder) == [folder]
    assert "identity_names" not in outputs_of(folder).metadata


def test_folders_of_one_name_are_told_apart(tmp_path: Path):
    data = listed(write_tiny_face(tmp_path / "anna" / "head"), write_tiny_face(tmp_path / "ben" / "head"))
    assert outputs_of(data).metadata["identity_names"] == ("anna_head", "ben_head")


def test_pictures_of_several_sizes(folders: list[Path], tmp_path: Path):
    """Told, or brought to one size with cameras that see the same."""
    carl = write_tiny_face(tmp_path / "carl")
    for path in carl.rglob("*.png"):
        with Image.open(path) as image:
            larger = image.resize((32, 24), Image.Resampling.NEAREST)
        larger.save(path)
    data = listed(folders[0], carl)
    with pytest.raises(ValueError, match=r"one size for all persons, got anna 16x12, carl 32x24; set .*resolution"):
        outputs_of(data)
    with pytest.raises(ValueError, match=r"resolution: expected a height in 1..12, the stored one of .*anna, got 20"):
        outputs_of(data, resolution=20)
    merged, alone = outputs_of(data, resolution=6), outputs_of(carl, resolution=6)
    assert merged.metadata["image_size"] == (6, 8)
    for name in ("fx", "fy", "cx", "cy"):
        torch.testing.assert_close(getattr(merged.cameras, name)[5:], getattr(alone.cameras, name))


def test_what_only_one_person_has_is_left_out(folders: list[Path], tmp_path: Path):
    bare = write_tiny_face(tmp_path / "bare", masks=False)
    parser = NeRFaceDataParserConfig(data=listed(folders[0], bare)).setup()
    assert "alpha_filenames" not in parser.get_dataparser_outputs("train").metadata
    assert parser.sequence.warnings == ("only some of anna, bare have mattes: left out",)


def without_names(folder: Path, length: int) -> Path:
    def change(content: dict) -> None:
        content.pop("expression_names")
        for frame in content["frames"]:
            frame["expression"] = frame["expression"][:length]

    for split in SPLITS:
        edit_json(folder / f"transforms_{split}.json", change)
    return folder


def test_coefficients_that_cannot_be_matched(folders: list[Path], tmp_path: Path):
    two, three = (without_names(write_tiny_face(tmp_path / str(length)), length) for length in (2, 3))
    with pytest.raises(ValueError, match="got 2 2 without names, 3 3 without names"):
        outputs_of(listed(two, three))
    with pytest.raises(ValueError, match="got anna 3 with names, 3 3 without names"):
        outputs_of(listed(folders[0], three))
    other = write_tiny_face(tmp_path / "other")
    for split in SPLITS:
        edit_json(other / f"transforms_{split}.json", lambda content: content.update(expression_names=["a", "b", "c"]))
    with pytest.raises(ValueError, match="expected some that anna, other have in common by name"):
        outputs_of(listed(folders[0], other))


def test_bad_lists(folders: list[Path], tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected a folder for each person, got .*anna twice"):
        outputs_of(listed(folders[0], folders[0] / ".." / "anna"))
    with pytest.raises(ValueError, match="got an empty place"):
        outputs_of(Path(f"{folders[0]},"))
    with pytest.raises(FileNotFoundError, match="nobody: expected a dataset folder here"):
        outputs_of(listed(folders[0], tmp_path / "nobody"))


def test_embedded_persons_have_names(folders: list[Path], monkeypatch: pytest.MonkeyPatch):
    from nerface_ns.synthetic import demo_cache

    asked = []
    monkeypatch.setattr(demo_cache, "demo_data_dir", lambda *config: asked.append(config) or folders[len(asked) - 1])
    metadata = DemoDataParserConfig(data=Path("demo,demo-2")).setup().get_dataparser_outputs("val").metadata
    assert metadata["identity_names"] == ("demo", "demo-2")
    assert [config and config[0].identity for config in asked] == [(), 2]


def test_everybody_is_drawn_alike():
    """Whatever the number of frames; with a share for the last person, that one's may come twice."""
    torch.manual_seed(0)
    whose = torch.tensor([0] * 90 + [1] * 10)
    drawn = torch.stack([whose[draw_by_identity(whose, 4)] for _ in range(300)]).float()
    assert abs(float(drawn.mean()) - 0.47) < 0.06  # a little below a half: an image is drawn once
    few = torch.tensor([0] * 9 + [1])
    drawn = torch.stack([draw_by_identity(few, 8, 0.75) for _ in range(300)])
    assert abs(float((few[drawn] == 1).float().mean()) - 0.75) < 0.05
    assert bool((drawn.diff(dim=1) >= 0).all())
    assert len(np.unique(draw_by_identity(whose, 100).numpy())) == 100
