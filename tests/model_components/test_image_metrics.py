import math

import pytest
import torch

from nerface_ns.model_components.image_metrics import (
    box_scores,
    box_to_pixel_slices,
    full_scores,
    mask_scores,
    psnr_from_squared_error,
    region_scores,
)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(40, 48, 3, generator=generator)
    render = (truth + 0.1 * torch.randn(40, 48, 3, generator=generator)).clamp(0, 1)
    return render, truth


def ssim_by_loop(render, truth):
    """SSIM with an 11-wide Gaussian window (sigma 1.5), written as loops over reflected pixels."""
    radius = 5
    kernel = torch.exp(-(torch.arange(-radius, radius + 1).double() ** 2) / (2 * 1.5**2))
    window = torch.outer(kernel, kernel)
    window = window / window.sum()
    height, width = truth.shape
    result = torch.zeros(height, width, dtype=torch.float64)

    def reflect(index, size):
        return -index if index < 0 else 2 * size - 2 - index if index >= size else index

    for row in range(height):
        for column in range(width):
            rows = [reflect(row + d, height) for d in range(-radius, radius + 1)]
            columns = [reflect(column + d, width) for d in range(-radius, radius + 1)]
            a, b = render[rows][:, columns].double(), truth[rows][:, columns].double()
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * a * a).sum() - mean_a**2
            var_b = (window * b * b).sum() - mean_b**2
            cov = (window * a * b).sum() - mean_a * mean_b
            c1, c2 = 0.01**2, 0.03**2
            result[row, column] = ((2 * mean_a * mean_b + c1) * (2 * cov + c2)) / (
                (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
            )
    return result


def test_psnr_of_a_constant_error():
    """An error of 0.1 everywhere is 20 dB, and L1 is that error."""
    scores = full_scores(torch.full((16, 16, 3), 0.6), torch.full((16, 16, 3), 0.5))
    assert scores["psnr"] == pytest.approx(20.0, abs=1e-4)
    assert scores["l1"] == pytest.approx(0.1, abs=1e-6)


def test_psnr_of_equal_images_is_finite():
    """Equal images score the cap of 100 dB, which JSON can hold."""
    assert psnr_from_squared_error(0.0) == pytest.approx(100.0)


def test_ssim_matches_loop():
    """SSIM equals its definition written as a loop."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(14, 13, 3, generator=generator)
    render = (truth + 0.1 * torch.randn(14, 13, 3, generator=generator)).clamp(0, 1)
    expected = torch.stack([ssim_by_loop(render[..., c], truth[..., c]) for c in range(3)]).mean()
    assert full_scores(render, truth)["ssim"] == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([0.0, 1.0, 0.0, 1.0], (0, 40, 0, 48)),
        ([0.26, 0.51, 0.11, 0.49], (10, 21, 5, 24)),
        ([7 / 40, 9 / 40, 3 / 48, 5 / 48], (7, 9, 3, 5)),
        ([-0.1, 0.5, 0.9, 1.2], (0, 20, 43, 48)),
    ],
)
def test_box_is_rounded_outward(box, expected):
    """A box covers every pixel that it touches, no more when it is made of whole pixels, and ends at the border."""
    rows, columns = box_to_pixel_slices(torch.tensor(box), 40, 48)
    assert (rows.start, rows.stop, columns.start, columns.stop) == expected


@pytest.mark.parametrize("box", [[0.5, 0.5, 0.1, 0.9], [0.2, 0.4, 1.1, 1.3], [0.8, 0.2, 0.1, 0.9]])
def test_empty_box_is_refused(box):
    """A box without pixels names itself in the error."""
    with pytest.raises(ValueError, match="box needs 0 <= y0 < y1"):
        box_to_pixel_slices(torch.tensor(box), 40, 48)


def test_box_scores_are_those_of_the_crop(images):
    """Errors outside the box do not count."""
    render, truth = images
    spoiled = render.clone()
    spoiled[:10] = 1 - truth[:10]
    scores = box_scores(spoiled, truth, torch.tensor([0.25, 0.75, 0.25, 0.75]))
    error = (render - truth)[10:30, 12:36]
    assert scores["psnr"] == pytest.approx(-10 * math.log10(float((error**2).mean())), abs=1e-4)
    assert scores["l1"] == pytest.approx(float(error.abs().mean()), abs=1e-6)
    assert scores["ssim"] == pytest.approx(full_scores(render[10:30, 12:36], truth[10:30, 12:36])["ssim"])


def test_ssim_is_left_out_of_a_small_crop(images):
    """A crop smaller than the window has a PSNR but no SSIM."""
    scores = box_scores(*images, torch.tensor([0.0, 0.25, 0.0, 1.0]))
    assert scores["ssim"] is None
    assert scores["psnr"] is not None


def test_mask_scores_match_loop(images):
    """Only pixels covered by more than half count, as a loop over them does."""
    render, truth = images
    alpha = torch.rand(40, 48, 1, generator=torch.Generator().manual_seed(2))
    squares = [
        float(((render[r, c] - truth[r, c]) ** 2).mean())
        for r in range(40)
        for c in range(48)
        if float(alpha[r, c, 0]) > 0.5
    ]
    expected = -10 * math.log10(sum(squares) / len(squares))
    assert mask_scores(render, truth, alpha)["psnr"] == pytest.approx(expected, abs=1e-4)


def test_mask_ssim_is_the_mean_of_the_map_inside():
    """Masked SSIM averages the full image's map over the covered pixels."""
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(12, 12, 3, generator=generator)
    render = torch.rand(12, 12, 3, generator=generator)
    alpha = torch.zeros(12, 12, 1)
    alpha[3:6, 4:9] = 1
    by_loop = torch.stack([ssim_by_loop(render[..., c], truth[..., c]) for c in range(3)]).mean(dim=0)
    expected = float(by_loop[3:6, 4:9].mean())
    assert mask_scores(render, truth, alpha)["ssim"] == pytest.approx(expected, abs=1e-4)


def test_empty_mask_has_no_scores(images):
    """A frame whose mask covers nothing is left out."""
    assert mask_scores(*images, torch.zeros(40, 48, 1)) is None


def test_masked_lpips_sees_the_truth_outside(images):
    """The distance under a mask compares images whose other pixels are equal."""
    render, truth = images
    alpha = torch.zeros(40, 48, 1)
    alpha[10:20, 10:20] = 1
    seen = {}

    def distance(first, second):
        seen["first"], seen["second"] = first, second
        return 0.5

    assert mask_scores(render, truth, alpha, distance)["lpips"] == 0.5
    expected = truth.clone()
    expected[10:20, 10:20] = render[10:20, 10:20]
    torch.testing.assert_close(seen["first"], expected)
    torch.testing.assert_close(seen["second"], truth)


def test_regions_are_scored_together(images):
    """The full image, each box and the mask get scores of their own."""
    boxes = {"face": torch.tensor([0.1, 0.9, 0.1, 0.9]), "mouth": torch.tensor([0.5, 0.8, 0.3, 0.7])}
    scores = region_scores(*images, boxes, torch.ones(40, 48, 1))
    assert set(scores) == {"full", "face", "mouth", "mask"}
    assert scores["mask"]["psnr"] == pytest.approx(scores["full"]["psnr"])


def test_sizes_must_agree(images):
    """A render of another size is refused with both sizes."""
    with pytest.raises(ValueError, match=r"\(20, 48, 3\).*\(40, 48, 3\)"):
        region_scores(images[0][:20], images[1], {})
