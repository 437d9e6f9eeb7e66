import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BOXES = {"mouth": torch.tensor([0.6, 0.7, 0.4, 0.6]), "eyes": torch.tensor([0.3, 0.5, 0.3, 0.7])}
HEIGHT = WIDTH = 20


@pytest.fixture
def editing(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("semantic_editing")


def test_jaws_region_grows_from_the_mouth_in_eye_mouth_distances(editing, monkeypatch):
    """Eyes at 0.4, mouth at 0.65: the unit is a quarter of the height, half of that of the width of a wide image."""
    monkeypatch.setattr(editing, "JAW_SIDE", 0.4)
    monkeypatch.setattr(editing, "JAW_DOWN", 0.8)
    regions = editing.regions_of("jawOpen", BOXES, aspect=2.0)
    assert regions["region"] == pytest.approx([0.6, 0.9, 0.35, 0.65])
    assert regions["mouth"] == pytest.approx([0.6, 0.7, 0.4, 0.6])


def test_region_is_cut_at_the_image(editing):
    assert editing.grown_box([0.6, 0.9, 0.1, 0.95], side=0.2, down=0.3) == pytest.approx([0.6, 1.0, 0.0, 1.0])


def test_blinks_regions_are_both_eyes_and_the_eye_itself(editing):
    """The person's left is the picture's right."""
    left, right = (editing.regions_of(f"eyeBlink{side}", BOXES, aspect=1.0) for side in ("Left", "Right"))
    assert left["region"] == right["region"] == pytest.approx([0.3, 0.5, 0.3, 0.7])
    assert left["eye"] == pytest.approx([0.3, 0.5, 0.5, 0.7])
    assert right["eye"] == pytest.approx([0.3, 0.5, 0.3, 0.5])


def test_frame_without_boxes(editing):
    with pytest.raises(ValueError, match=r"expected boxes of mouth and eyes in the data, found none of \['eyes'\]"):
        editing.regions_of("jawOpen", {"mouth": BOXES["mouth"]}, aspect=1.0)


def test_coefficients_are_found_by_their_meaning(editing):
    names = ("jawLeft", "eyeBlink_R", "jaw_open", "eyeBlink_L")
    assert [editing.coefficient_column(name, names) for name in editing.COEFFICIENTS] == [2, 3, 1]
    with pytest.raises(ValueError, match=r"jawOpen: expected a coefficient of this meaning in the run, which has e_0"):
        editing.coefficient_column("jawOpen", ("e_0", "e_1"))


def test_shares_are_of_all_frames_energies_together(editing):
    """(8 + 1) of (10 + 4), and the worst frame's quarter."""
    frames = [{"total": 10.0, "region": 8.0, "mouth": 5.0}, {"total": 4.0, "region": 1.0, "mouth": 1.0}]
    summary = editing.summary(frames)
    assert summary == {
        "share": pytest.approx(9 / 14),
        "least_share_of_a_frame": 0.25,
        "share_mouth": pytest.approx(6 / 14),
        "reaches_bar": False,
    }
    assert editing.summary([{"total": 10.0, "region": 8.0}])["reaches_bar"]


def test_a_coefficient_without_effect_does_not_pass(editing):
    summary = editing.summary([{"total": 0.0, "region": 0.0}])
    assert summary["share"] is None and summary["least_share_of_a_frame"] is None and not summary["reaches_bar"]


class Cameras:
    def __getitem__(self, chosen):
        return SimpleNamespace(to=lambda device: SimpleNamespace(metadata={}))


class SquareModel:
    """Grey; jawOpen brightens a known rectangle by its value, and one pixel elsewhere by half of it."""

    device = "cpu"
    expression_names = ("other", "jawOpen")
    expression_encoding = SimpleNamespace(high=torch.tensor([0.9, 0.6]))

    def get_outputs_for_camera(self, camera):
        value = camera.metadata["expression"][0, 1]
        assert camera.metadata["frame_index"].item() == -1 and camera.metadata["expression"][0, 0] == 0
        picture = torch.full((HEIGHT, WIDTH, 3), 0.2)
        picture[12:14, 9:11] += value
        picture[1, 1] += value / 2
        return {"rgb": picture}


def test_measured_share_is_the_closed_form(editing, tmp_path):
    """Four pixels inside at the full value, one outside at half: 4 of 4.25 parts."""
    renderer = object.__new__(editing.EditRenderer)
    renderer.model, renderer.names = SquareModel(), SquareModel.expression_names
    renderer.high = SquareModel.expression_encoding.high
    renderer.renderer = SimpleNamespace(dataset=SimpleNamespace(cameras=Cameras()), _boxes=lambda index: BOXES)
    figures = renderer.measure("jawOpen", [3, 4], tmp_path)
    assert figures["value"] == pytest.approx(0.6)
    assert figures["share"] == pytest.approx(4 / 4.25) and figures["reaches_bar"]
    assert figures["root_mean_square_change"] == pytest.approx((0.36 * 4.25 / HEIGHT / WIDTH) ** 0.5)
    assert (tmp_path / "jawOpen.png").is_file()
