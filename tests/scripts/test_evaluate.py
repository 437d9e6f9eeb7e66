import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from nerface_ns.conditioning.latent_codes import LatentCodes, LatentCodesConfig
from nerface_ns.evaluation import run_loader
from nerface_ns.scripts.evaluate import EvaluateCommand, main, write_comparison


@pytest.fixture
def frame():
    outputs = {"rgb": torch.full((6, 8, 3), 0.2), "accumulation": torch.ones(6, 8, 1), "depth": torch.rand(6, 8, 1)}
    return SimpleNamespace(name="test/f_0007.png", truth=torch.full((6, 8, 3), 0.6), outputs=outputs)


def test_pictures_are_written_for_every_nth_frame(tmp_path, frame):
    """Frames 0 and 2 of 3, named for their order and their file, with the truth's values on the left."""
    for index in range(3):
        write_comparison(tmp_path, 2, (0.0, 1.0), "test", index, frame)
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["00000_f_0007.png", "00002_f_0007.png"]
    picture = np.array(Image.open(tmp_path / "test" / "00000_f_0007.png"))
    np.testing.assert_array_equal(picture[-6:, :8], 153)
    np.testing.assert_array_equal(picture[-6:, 8:16], 51)


def test_missing_config_is_named(tmp_path):
    """The error says what was expected."""
    with pytest.raises(FileNotFoundError, match=r"config.yml: no such file; expected the config.yml of a training run"):
        main(EvaluateCommand(load_config=tmp_path / "config.yml"))


def test_unwritable_output_comes_before_loading(tmp_path):
    """The output folder is tried first."""
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"--output-dir .*file: cannot write there"):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", output_dir=tmp_path / "file"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "whte"}, "--background whte: expected recorded, transparent, or a colour"),
        ({"background": "white", "poses": "aligned"}, "--background white and --poses aligned: expected one of them"),
    ],
)
def test_wrong_background_comes_before_loading(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", **options))


class UnseenCameras:
    """Cameras of two frames never trained on."""

    def __getitem__(self, chosen):
        return SimpleNamespace(
            metadata={"frame_index": torch.tensor([[-1]]), "expression": torch.zeros(1, 2)},
            to=lambda device: SimpleNamespace(**vars(self[chosen])),
        )


class GreyDataset:
    """Frames of one grey."""

    def __init__(self, dataparser_outputs, scale_factor):
        self.metadata, self.cameras = {"face_boxes": torch.tensor([[0.0, 1.0, 0.0, 0.5]] * 2)}, UnseenCameras()

    def __len__(self):
        return 2

    def get_data(self, index):
        return {"image": torch.full((8, 8, 3), 0.5)}


class CodeModel(torch.nn.Module):
    """As bright as the latent code says, 0.9 by itself."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(code_protocol="zero", code_frame=1)
        self.latent_codes = LatentCodes(LatentCodesConfig(length=1), torch.zeros(4, 2))
        with torch.no_grad():
            self.latent_codes.codes.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4])[:, None])

    def get_outputs_for_camera(self, camera):
        code = camera.metadata.get("latent_code")
        return {"rgb": torch.full((8, 8, 3), 0.9 if code is None else float(code[0, 0]))}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run with splits train and test, whose third training frame is the recording's frame 10."""
    names = [f"train/f_{number:04d}" for number in (7, 8, 10, 11)]
    sequence = SimpleNamespace(root=tmp_path, splits={"train": SimpleNamespace(frame_names=names), "test": 0})
    pipeline = torch.nn.Module()
    pipeline.model, pipeline.device = CodeModel(), "cpu"
    outputs = SimpleNamespace(metadata={"frame_names": ["test/f_0", "test/f_1"]}, image_filenames=[])
    pipeline.datamanager = SimpleNamespace(
        dataparser=SimpleNamespace(
            sequence=sequence,
            train_rows=np.arange(4),
            num_recorded_train_frames=4,
            get_dataparser_outputs=lambda split: outputs,
        ),
        dataset_type=GreyDataset,
        config=SimpleNamespace(),
        train_dataset=SimpleNamespace(metadata={}),
    )
    config = SimpleNamespace(method_name="nerface-paper")
    loaded = (config, pipeline, tmp_path / "step-000000009.ckpt", 9)
    monkeypatch.setattr(run_loader, "load_run", lambda *arguments: loaded)
    return pipeline


def evaluate(tmp_path, **options):
    path = tmp_path / "scores.json"
    main(EvaluateCommand(load_config=tmp_path / "config.yml", json=path, **options))
    return json.loads(path.read_text())


def test_json_of_one_protocol_keeps_its_layout(tmp_path, run):
    """Splits at the top, then what was scored under which rule, then every frame."""
    record = evaluate(tmp_path)
    assert list(record) == [
        *("test", "code_protocol", "poses", "method", "step", "checkpoint"),
        *("machine", "versions", "commit", "date", "frames"),
    ]
    assert record["test"]["l1"] == pytest.approx(0.4)
    assert set(record["test"]) == {"psnr", "ssim", "l1", "lpips", "face"}
    assert record["code_protocol"] == "zero"
    assert list(record["frames"]["test"]) == ["test/f_0", "test/f_1"]


def test_protocols_side_by_side(tmp_path, run, capsys):
    """Codes 0, 0.25 (mean) and 0.3 (frame 2) before grey; scores stand below their protocols."""
    record = evaluate(tmp_path, code_protocols=("zero", "mean", "frame"), code_frame=2)
    protocols = record["protocols"]
    assert {name: scores["test"]["l1"] for name, scores in protocols.items()} == pytest.approx(
        {"zero": 0.5, "mean": 0.25, "frame": 0.2}
    )
    assert (protocols["frame"]["code_frame"], protocols["mean"]["code_frame"]) == (2, None)
    assert protocols["mean"]["frames"]["test"]["test/f_1"]["face"]["l1"] == pytest.approx(0.25)
    assert record["notes"] == ["latent codes of unseen frames: zero, mean, frame (2)"]
    assert record["notes"][0] in " ".join(capsys.readouterr().out.split())


def test_paper_beside_how_it_should_be_done(tmp_path, run, capsys):
    """NerFace's takes the code of the recording's frame 10, row 2 here: 0.3, cut to 76 of 255."""
    protocols = evaluate(tmp_path, paper=True, code_protocols=("zero",))["protocols"]
    assert list(protocols) == ["paper", "zero"]
    assert protocols["paper"]["code_frame"] == 2
    assert protocols["paper"]["test"]["l1"] == pytest.approx(0.5 - 76 / 255)
    assert set(protocols["paper"]["test"]) == {"psnr", "ssim", "l1", "lpips"}
    printed = " ".join(capsys.readouterr().out.split())
    assert "paper: NerFace's evaluation" in printed
    assert printed.index("L1") < printed.index("PSNR") < printed.index("SSIM") < printed.index("LPIPS")


def test_paper_scores_the_test_split_alone(tmp_path, run):
    """Other splits only when they are named."""
    run.datamanager.dataparser.sequence.splits["val"] = 0
    assert "val" not in evaluate(tmp_path, paper=True)["protocols"]["paper"]
    assert "val" in evaluate(tmp_path, paper=True, split=("val",))["protocols"]["paper"]


def test_frame_rule_takes_the_runs_own_frame(tmp_path, run):
    """Training frame 1 of the model's settings."""
    assert evaluate(tmp_path, code_protocols=("frame",))["protocols"]["frame"]["test"]["l1"] == pytest.approx(0.3)


def test_pictures_of_protocols_go_to_their_folders(tmp_path, run):
    evaluate(tmp_path, code_protocols=("zero", "mean"), output_dir=tmp_path / "pictures", max_frames=1)
    found = sorted(path.relative_to(tmp_path / "pictures").as_posix() for path in tmp_path.rglob("*.png"))
    assert found == ["mean/test/00000_f_0.png", "zero/test/00000_f_0.png"]


def test_number_of_frames_is_recorded(tmp_path, run):
    record = evaluate(tmp_path, max_frames=1)
    assert (record["max_frames"], list(record["frames"]["test"])) == (1, ["test/f_0"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"code_protocol": "zero", "paper": True}, "--code-protocol zero and --paper: expected one of them"),
        ({"code_protocol": "mean", "code_protocols": ("zero",)}, "--code-protocol mean and --code-protocols"),
        ({"max_frames": 0}, "--max-frames needs to be at least 1, got 0"),
        ({"image_every": 0}, "--image-every needs to be at least 1, got 0"),
    ],
)
def test_options_that_contradict_are_refused(tmp_path, options, message):
    """Before anything is loaded."""
    with pytest.raises(ValueError, match=message):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", **options))


def test_method_without_codes_is_named(tmp_path, run):
    del run.model.latent_codes
    with pytest.raises(ValueError, match="--code-protocols: method nerface-paper has no latent codes"):
        evaluate(tmp_path, code_protocols=("zero",))


def test_training_frame_that_is_not_there_is_named(tmp_path, run):
    with pytest.raises(ValueError, match=r"code_frame: expected a training frame in 0\.\.3, got 4"):
        evaluate(tmp_path, code_protocols=("frame",), code_frame=4)


def test_report_page_and_its_figures(tmp_path, run):
    """0.9 before grey: a squared difference of 0.16, in the face box too, which does not flicker; no edges, no CPBD."""
    page = tmp_path / "pages" / "report.html"
    figures = evaluate(tmp_path, report=page)["report"]["test"]
    assert figures["full"] == pytest.approx(
        {"l2": 0.16, "ms_ssim": None, "cpbd": None, "cpbd_truth": None, "flicker": 0, "landmarks": None}, abs=1e-6
    )
    assert figures["face"]["l2"] == pytest.approx(0.16)
    text = page.read_text()
    assert "nerface-paper, step 9" in text and "data:video/mp4;base64," in text and "<td>face</td>" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"report": Path("report.pdf")}, r"--report report.pdf: expected a name that ends in .html"),
        ({"report_landmarks": True}, "--report-landmarks: expected --report as well, got none"),
    ],
)
def test_wrong_report_comes_before_loading(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", **options))
