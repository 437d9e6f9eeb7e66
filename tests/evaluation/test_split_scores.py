import io
import math
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from nerface_ns.evaluation.data_splits import check_splits
from nerface_ns.evaluation.score_table import protocol_table, score_table
from nerface_ns.evaluation.split_scores import SplitScores, score_split, scores_as_json

HEIGHT, WIDTH = 16, 20


class FakeCameras:
    def __init__(self, errors):
        self.errors = errors

    def __getitem__(self, chosen):
        return FakeCameras(self.errors[chosen])

    def to(self, device):
        return self


class FakeDataset:
    """Black frames; frame k's camera makes the model err by 0.1, 0.2, ..."""

    def __init__(self, dataparser_outputs, scale_factor):
        self.metadata = dataparser_outputs.metadata
        self.cameras = FakeCameras(dataparser_outputs.errors)

    def __len__(self):
        return len(self.cameras.errors)

    def get_data(self, index):
        alpha = torch.zeros(HEIGHT, WIDTH, 1)
        alpha[: HEIGHT // 2] = float(index == 0)
        return {"image": torch.zeros(HEIGHT, WIDTH, 3), "alpha": alpha}


class FakeModel(torch.nn.Module):
    config = SimpleNamespace(code_protocol="mean")

    def get_outputs_for_camera(self, camera):
        assert not self.training
        image = torch.zeros(HEIGHT, WIDTH, 3)
        image[: HEIGHT // 2] = camera.errors[0]
        return {"rgb": image}


class FakePipeline(torch.nn.Module):
    device = "cpu"

    def __init__(self):
        super().__init__()
        self.model = FakeModel()
        box = torch.tensor([0.0, 0.5, 0.0, 1.0])
        metadata = {
            "frame_names": ["test/f_0", "test/f_1"],
            "face_boxes": torch.stack([box, box]),
            "region_boxes": {"mouth": torch.stack([box, torch.full((4,), math.nan)])},
        }
        outputs = SimpleNamespace(metadata=metadata, errors=[0.1, 0.2], image_filenames=[])
        dataparser = SimpleNamespace(
            sequence=SimpleNamespace(splits={"train": 0, "val": 0, "test": 0}),
            get_dataparser_outputs=lambda split: outputs,
            config=SimpleNamespace(data="somewhere"),
        )
        self.datamanager = SimpleNamespace(
            dataparser=dataparser, dataset_type=FakeDataset, config=SimpleNamespace(), train_dataset=[]
        )


@pytest.fixture
def scores():
    return score_split(FakePipeline(), "test")["run"]


def test_psnr_is_the_mean_over_frames(scores):
    """Not the PSNR of the mean error: errors of 0.1 and 0.2 in half of the image."""
    expected = (10 * math.log10(2 / 0.1**2) + 10 * math.log10(2 / 0.2**2)) / 2
    assert scores.mean()["full"]["psnr"] == pytest.approx(expected, abs=1e-4)


def test_each_region_averages_the_frames_that_have_it(scores):
    """The mouth box is missing in frame 1, the mask is empty there."""
    means = scores.mean()
    assert means["face"]["l1"] == pytest.approx(0.15, abs=1e-6)
    assert means["mouth"]["l1"] == pytest.approx(0.1, abs=1e-6)
    assert means["mask"]["psnr"] == pytest.approx(20.0, abs=1e-4)


def test_json_nests_regions_below_the_full_image(scores):
    """The full image's figures stand at the top; lpips is null without a distance."""
    record = scores.as_json()
    assert set(record) == {"psnr", "ssim", "l1", "lpips", "face", "mask", "mouth"}
    assert set(record["face"]) == {"psnr", "ssim", "l1", "lpips"}
    assert record["lpips"] is None


def test_every_frame_is_reported(scores):
    """Frames are scored one by one under their names."""
    assert scores.frame_names == ["test/f_0", "test/f_1"]
    assert [frame["full"]["l1"] for frame in scores.frame_scores] == pytest.approx([0.05, 0.1])


def test_a_training_pipeline_goes_back_to_training():
    """Scoring renders in evaluation mode and restores the mode."""
    pipeline = FakePipeline().train()
    score_split(pipeline, "test")
    assert pipeline.training
    assert pipeline.model.training


def test_splits_come_in_reporting_order(scores):
    """test, val, nvs, train."""
    assert list(scores_as_json({"nvs": scores, "train": scores, "test": scores})) == ["test", "nvs", "train"]


def test_default_splits_are_those_that_exist_untrained():
    """Without a wish: test and val here, as there are no novel views."""
    assert check_splits(FakePipeline().datamanager.dataparser) == ["test", "val"]


def test_missing_split_is_named():
    """A split that the dataset lacks is refused with those it has."""
    with pytest.raises(ValueError, match="--split nvs: somewhere has only train, val, test"):
        check_splits(FakePipeline().datamanager.dataparser, ("nvs",))


def test_table_shows_figures_and_protocol(scores):
    """PSNR with two decimals, a dash for what cannot be had, and the code protocol."""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(score_table({"test": scores.as_json()}, "title", "mean"))
    text = console.export_text()
    assert f"{scores.mean()['full']['psnr']:.2f}" in text
    assert "latent codes of unseen frames: mean" in text
    assert "-" in text


def test_mean_of_nothing_is_none():
    """A figure that no frame has stays out of the average."""
    frame = {"full": {"psnr": 30.0, "ssim": None, "l1": 0.1, "lpips": None}}
    assert SplitScores("test", ["a"], [frame]).mean()["full"]["ssim"] is None


def test_protocols_stand_below_each_other_in_the_table(scores):
    """A row for each protocol under the same split and region; the region is named once."""
    figures = {
        "zero": {"test": scores.as_json()},
        "paper": {"test": {"psnr": 21.0, "ssim": 0.5, "l1": 1, "lpips": None}},
    }
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(protocol_table(figures, "title", "what they are", metrics=("l1", "psnr")))
    lines = [line.replace("│", " ").split() for line in console.export_text().splitlines()]
    assert ["test", "full", "zero", "0.0750", f"{scores.mean()['full']['psnr']:.2f}"] in lines
    assert ["paper", "1.0000", "21.00"] in lines
    assert sum("face" in line for line in lines) == 1
    assert not any("SSIM" in line for line in lines)
