import pytest
import torch

from nerface_ns.model_components.patch_similarity import structural_difference
from nerface_ns.model_components.staged_losses import StagedLosses, StagedLossesConfig

PATCH_ROWS = torch.arange(3, 3 + 2 * 64).flip(0).reshape(2, 8, 8)
"""Two patches of 8 among 140 rays; the first three and the last nine are single."""
NUM_RAYS = 140


def stages(**settings) -> StagedLosses:
    return StagedLosses(StagedLossesConfig(**settings))


def test_colours_of_single_pixels_are_a_plain_mean():
    torch.testing.assert_close(stages().photometric(torch.tensor([0.1, 0.4, 0.7]), None), torch.tensor(0.4))


def test_patches_are_weighed_apart_from_single_pixels():
    """NeRFBlendShape: half of (single) and half of 0.1 (patches)."""
    error = torch.rand(NUM_RAYS, generator=torch.Generator().manual_seed(0))
    single = torch.cat([error[:3], error[131:]])
    expected = 0.5 * single.mean() + 0.5 * 0.1 * error[3:131].mean()
    torch.testing.assert_close(stages().photometric(error, PATCH_ROWS), expected)
    expected = 0.75 * single.mean() + 0.25 * 2 * error[3:131].mean()
    found = stages(patch_share=0.25, patch_photometric_weight=2.0).photometric(error, PATCH_ROWS)
    torch.testing.assert_close(found, expected)


def test_perceptual_distance_is_of_the_patches_in_their_order():
    generator = torch.Generator().manual_seed(0)
    render, truth = (torch.rand(NUM_RAYS, 3, generator=generator) for _ in range(2))
    ordered = [colours[3:131].flip(0).reshape(2, 8, 8, 3) for colours in (render, truth)]
    found = stages(perceptual_weight=0.3, patch_share=0.2).perceptual(render, truth, PATCH_ROWS)
    torch.testing.assert_close(found, 0.06 * structural_difference(*ordered))


@pytest.mark.parametrize("settings", [{"perceptual": "none"}, {"perceptual_weight": 0.0}, {"patch_share": 0.0}])
def test_perceptual_distance_switched_off(settings):
    assert stages(**settings).perceptual(torch.rand(NUM_RAYS, 3), torch.rand(NUM_RAYS, 3), PATCH_ROWS) is None


def test_mask_loss_ends_at_its_step():
    opacity, alpha = torch.tensor([[0.25], [1.0]]), torch.tensor([[1.0], [0.5]])
    losses = stages(mask_until_step=10, mask_weight=2.0)
    torch.testing.assert_close(losses.mask(9, opacity, alpha), torch.tensor(2 * (0.75 + 0.5) / 2))
    assert losses.mask(10, opacity, alpha) is None
    assert stages(mask_weight=0.0).mask(0, opacity, alpha) is None


def test_lpips_without_weights_fails_before_training(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    losses = stages(perceptual="lpips")
    with pytest.raises(FileNotFoundError, match=r"staged_losses\.perceptual lpips"):
        losses.make_ready()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("patch_share", 1.5, r"a number in \[0, 1\]"),
        ("mask_weight", -1.0, "at least 0"),
        ("table_weight", -0.1, "at least 0"),
    ],
)
def test_values_out_of_range(name, value, expected):
    with pytest.raises(ValueError, match=rf"staged_losses\.{name}: expected {expected}, got {value}"):
        stages(**{name: value})
