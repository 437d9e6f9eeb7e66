import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from nerface_ns.evaluation.paper_metrics import eight_bit_colours, flat_window_ssim, paper_scores
from nerface_ns.model_components.image_metrics import full_scores


@pytest.fixture
def pair():
    """A smooth picture and a noisy render of it."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.meshgrid(torch.linspace(0, 3, 20), torch.linspace(0, 2, 26), indexing="ij")
    truth = torch.stack([rows.sin(), columns.cos(), (rows * columns).sin()], dim=-1) / 2 + 0.5
    truth = (truth * 255).round() / 255
    render = (truth + 0.05 * torch.randn(truth.shape, generator=generator)).clamp(0, 1)
    return render, truth


def test_ssim_is_that_of_scikit_image_with_its_defaults(pair):
    """The script's `compare_ssim` took float images for a range of 2."""
    render, truth = (image.double().numpy() for image in pair)
    expected = structural_similarity(truth, render, channel_axis=-1, data_range=2.0)
    assert flat_window_ssim(*pair) == pytest.approx(expected, abs=1e-9)


def test_ssim_is_higher_than_with_the_true_range(pair):
    """Why the paper's figure cannot stand beside others'."""
    assert flat_window_ssim(*pair) > full_scores(*pair)["ssim"] + 0.01


def test_psnr_and_l1_are_of_the_render_in_8_bits(pair):
    render, truth = pair
    cut = (render.double().numpy() * 255).astype("uint8") / 255
    scores = paper_scores(render, truth)
    expected = peak_signal_noise_ratio(truth.double().numpy(), cut, data_range=1.0)
    assert scores["psnr"] == pytest.approx(expected, abs=1e-3)
    assert scores["l1"] == pytest.approx(abs(truth.double().numpy() - cut).mean(), abs=1e-6)


def test_colours_are_cut_down_not_rounded():
    colours = eight_bit_colours(torch.tensor([[[0.9999, 1.7, -0.3]]])) * 255
    assert colours.flatten().tolist() == pytest.approx([254.0, 255.0, 0.0])


def test_lpips_network_gets_colours_that_are_not_scaled(pair):
    """A distance that scales [0, 1] to [-1, 1] ends where the script's network begins: in [0, 1]."""
    seen = []

    def distance(render, truth):
        seen.append((2 * render - 1, 2 * truth - 1))
        return 0.25

    assert paper_scores(*pair, distance)["lpips"] == 0.25
    torch.testing.assert_close(seen[0][0], eight_bit_colours(pair[0]))
    torch.testing.assert_close(seen[0][1], pair[1])


def test_figures_that_cannot_be_had_are_none():
    image = torch.full((6, 9, 3), 0.5)
    scores = paper_scores(image, image)
    assert scores["ssim"] is None and scores["lpips"] is None
    # 0.5 is cut to 127 of 255.
    assert scores["psnr"] == pytest.approx(-20 * math.log10(0.5 / 255), abs=1e-3)
