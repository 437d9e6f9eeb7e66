from types import SimpleNamespace

import pytest
import torch

from nerface_ns.conditioning.latent_codes import LatentCodes, LatentCodesConfig
from nerface_ns.evaluation.evaluation_protocol import RUN_PROTOCOL, EvaluationProtocol, code_protocols, frame_codes
from nerface_ns.evaluation.split_scores import score_split

NUM_FRAMES, CODE_LENGTH = 6, 2


def train_expression():
    return torch.rand(NUM_FRAMES, 3, generator=torch.Generator().manual_seed(0))


def make_codes(length=CODE_LENGTH):
    codes = LatentCodes(LatentCodesConfig(length=length), train_expression())
    with torch.no_grad():
        codes.codes.copy_(torch.arange(NUM_FRAMES, dtype=torch.float32)[:, None].expand(-1, length))
    return codes


def unseen(expression):
    return {"frame_index": torch.tensor([[-1]]), "expression": expression[None]}


def names(groups):
    return [(None if code is None else code[0].tolist(), [p.name for p in group]) for code, group in groups]


def test_every_rule_gives_its_code():
    """Codes are 0, 1, .., 5; the expression is training frame 4's."""
    model = SimpleNamespace(latent_codes=make_codes())
    groups = frame_codes(
        model, unseen(train_expression()[4]), code_protocols(["zero", "mean", "nearest", "frame"], code_frame=1)
    )
    assert names(groups) == [
        ([0, 0], ["zero"]),
        ([2.5, 2.5], ["mean"]),
        ([4, 4], ["nearest"]),
        ([1, 1], ["frame"]),
    ]


def test_equal_codes_share_a_picture():
    """The nearest frame is the given one, whose code is zero; the model's own rule stays by itself."""
    model = SimpleNamespace(latent_codes=make_codes())
    protocols = [*code_protocols(["nearest", "frame", "mean", "zero"]), RUN_PROTOCOL]
    groups = frame_codes(model, unseen(train_expression()[0]), protocols)
    assert names(groups) == [([0, 0], ["nearest", "frame", "zero"]), ([2.5, 2.5], ["mean"]), (None, ["run"])]


def test_trained_frames_keep_their_own_code():
    """Protocols are about frames never trained on."""
    model = SimpleNamespace(latent_codes=make_codes())
    metadata = {"frame_index": torch.tensor([[3]]), "expression": train_expression()[3:4]}
    assert names(frame_codes(model, metadata, code_protocols(["zero", "mean"]))) == [(None, ["zero", "mean"])]


def test_codes_without_numbers_are_all_the_same():
    model = SimpleNamespace(latent_codes=make_codes(0))
    groups = frame_codes(model, unseen(train_expression()[0]), code_protocols(["zero", "mean", "frame"]))
    assert names(groups) == [(None, ["zero", "mean", "frame"])]


def test_model_without_codes_is_refused():
    with pytest.raises(ValueError, match="code protocol mean: SimpleNamespace has no latent codes"):
        frame_codes(SimpleNamespace(), unseen(train_expression()[0]), code_protocols(["mean"]))


def test_missing_training_frame_is_named():
    model = SimpleNamespace(latent_codes=make_codes())
    with pytest.raises(ValueError, match=r"code_frame: expected a training frame in 0\.\.5, got 6"):
        frame_codes(model, unseen(train_expression()[0]), code_protocols(["frame"], 6))


def test_a_rule_named_twice_is_scored_once():
    assert [protocol.name for protocol in code_protocols(["zero", "mean", "zero"])] == ["zero", "mean"]


class CodedCameras:
    """Cameras of unseen frames with the training frames' expressions."""

    def __init__(self, rows, metadata=None):
        self.rows, self.metadata = rows, metadata

    def __getitem__(self, chosen):
        rows = self.rows[chosen]
        return CodedCameras(rows, unseen(train_expression()[rows[0]]))

    def to(self, device):
        return self


class CodedDataset:
    """Grey frames."""

    def __init__(self, dataparser_outputs, scale_factor):
        self.metadata, self.cameras = {}, CodedCameras([0, 4])

    def __len__(self):
        return 2

    def get_data(self, index):
        return {"image": torch.full((8, 8, 3), 0.5)}


class CodedModel(torch.nn.Module):
    """As bright as the code's first number in tenths, 0.9 by itself."""

    config = SimpleNamespace(code_protocol="zero")

    def __init__(self):
        super().__init__()
        self.latent_codes = make_codes()
        self.pictures = 0

    def get_outputs_for_camera(self, camera):
        self.pictures += 1
        code = camera.metadata.get("latent_code")
        return {"rgb": torch.full((8, 8, 3), 0.9 if code is None else float(code[0, 0]) / 10)}


@pytest.fixture
def pipeline():
    pipeline = torch.nn.Module()
    outputs = SimpleNamespace(metadata={"frame_names": ["test/f_0", "test/f_1"]}, image_filenames=[])
    pipeline.model, pipeline.device = CodedModel(), "cpu"
    pipeline.datamanager = SimpleNamespace(
        dataparser=SimpleNamespace(get_dataparser_outputs=lambda split: outputs),
        dataset_type=CodedDataset,
        config=SimpleNamespace(),
    )
    return pipeline


def test_split_is_scored_under_every_protocol(pipeline):
    """Brightness 0 (zero), 0.25 (mean), 0 and 0.4 (nearest) before grey; zero and nearest share the first picture."""
    heard = []
    scores = score_split(
        pipeline,
        "test",
        [*code_protocols(["zero", "mean", "nearest"]), RUN_PROTOCOL],
        frame_done=lambda protocol, index, count, frame: heard.append((protocol.name, index, count)),
    )
    l1 = {name: [frame["full"]["l1"] for frame in split.frame_scores] for name, split in scores.items()}
    assert l1["zero"] == pytest.approx([0.5, 0.5])
    assert l1["mean"] == pytest.approx([0.25, 0.25])
    assert l1["nearest"] == pytest.approx([0.5, 0.1])
    assert l1["run"] == pytest.approx([0.4, 0.4])
    assert pipeline.model.pictures == 7
    assert sorted(heard) == sorted((name, index, 2) for name in l1 for index in (0, 1))


def test_paper_protocol_compares_the_same_picture_its_own_way(pipeline):
    """0.25 is cut to 63 of 255; only the whole image is scored."""
    paper = EvaluationProtocol("paper", "mean", compares_as_paper=True)
    scores = score_split(pipeline, "test", [*code_protocols(["mean"]), paper])
    assert pipeline.model.pictures == 2
    assert scores["paper"].mean()["full"]["l1"] == pytest.approx(0.5 - 63 / 255, abs=1e-6)
    assert scores["mean"].mean()["full"]["l1"] == pytest.approx(0.25, abs=1e-6)
    assert list(scores["paper"].as_json()) == ["psnr", "ssim", "l1", "lpips"]
