import pytest
import torch

from nerface_ns.model_components import patch_distance
from nerface_ns.model_components.patch_distance import VggPatchDistance, make_patch_distance, vgg_weights
from nerface_ns.model_components.patch_similarity import structural_difference


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A torch hub without weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


class StubNetwork:
    """Stands in for VGG16: a distance per patch, of colours as the network would see them."""

    def to(self, device):
        return self

    def __call__(self, first, second, normalize):
        assert normalize and first.shape[1] == 3
        return ((first - second) ** 2).sum(dim=(1, 2, 3), keepdim=True)


def test_lpips_without_weights_names_the_option(hub):
    with pytest.raises(FileNotFoundError, match=r"perceptual lpips: expected VGG16's weights as .*ms-ssim.*or none"):
        make_patch_distance("lpips")
    assert str(vgg_weights()[0]).startswith(str(hub))


def test_lpips_is_the_mean_over_patches_of_the_network(hub, monkeypatch):
    """Built with the first patches only; gradients reach the render."""
    path = vgg_weights()[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    built = []
    monkeypatch.setattr(patch_distance, "_build_network", lambda: built.append(1) or StubNetwork())
    distance = VggPatchDistance()
    assert built == []
    render = torch.rand(2, 4, 4, 3, requires_grad=True)
    truth = torch.rand(2, 4, 4, 3)
    value = distance(render, truth)
    torch.testing.assert_close(value, ((render - truth) ** 2).sum() / 2)
    (gradient,) = torch.autograd.grad(value, render)
    torch.testing.assert_close(gradient, (render - truth).detach())
    distance(render, truth)
    assert built == [1]


def test_substitute_and_nothing_need_no_weights(hub):
    assert make_patch_distance("ms-ssim") is structural_difference
    assert make_patch_distance("none") is None
