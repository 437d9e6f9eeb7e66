import pytest
import torch
import torchmetrics.image.lpip

from nerface_ns.model_components.perceptual_distance import PerceptualDistance, backbone_weights


@pytest.fixture
def no_download(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("tried to download")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path


def test_missing_weights_leave_lpips_out(no_download):
    """Without weights there is no figure, no download, and one message saying how to get them."""
    distance = PerceptualDistance()
    assert distance(torch.rand(64, 64, 3), torch.rand(64, 64, 3)) is None
    assert "nerface-doctor --fix" in distance.message
    assert str(backbone_weights()[0]) in distance.message


def test_weights_are_looked_for_in_torch_hubs_cache(no_download):
    """The file is named as torch hub would name its download."""
    path, url = backbone_weights()
    assert path == no_download / "checkpoints" / url.rsplit("/", 1)[-1]


def test_distance_is_built_once_and_told_the_range(no_download, monkeypatch):
    """The metric is made at the first use only, for inputs in [0, 1], and forgets earlier images."""
    made = []

    class FakeMetric(torch.nn.Module):
        def __init__(self, net_type, normalize):
            super().__init__()
            made.append((net_type, normalize))
            self.total = 0.0

        def forward(self, first, second):
            self.total += float((first - second).abs().mean())
            return torch.tensor(self.total)

        def reset(self):
            self.total = 0.0

    monkeypatch.setattr(torchmetrics.image.lpip, "LearnedPerceptualImagePatchSimilarity", FakeMetric)
    path = backbone_weights()[0]
    path.parent.mkdir()
    path.touch()
    distance = PerceptualDistance()
    assert made == []
    first = distance(torch.zeros(64, 64, 3), torch.ones(64, 64, 3))
    second = distance(torch.zeros(64, 64, 3), torch.ones(64, 64, 3))
    assert made == [("alex", True)]
    assert first == second == 1.0


def test_small_images_have_no_distance(no_download):
    """A crop that the network cannot take has no figure."""
    path = backbone_weights()[0]
    path.parent.mkdir()
    path.touch()
    assert PerceptualDistance()(torch.rand(63, 80, 3), torch.rand(63, 80, 3)) is None
