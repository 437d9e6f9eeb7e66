from __future__ import annotations

import pytest
import torch

from nerface_ns.data.face_pixel_sampler import FacePixelSampler, FacePixelSamplerConfig, face_box_to_pixels

HEIGHT, WIDTH = 10, 14
BOXES_PX = [[2, 7, 3, 9], [0, 10, 0, 14], [0, 4, 0, 14], [5, 10, 10, 14]]
MOUTHS_PX = [[5, 7, 4, 8], [1, 2, 1, 2], [3, 4, 0, 14], [8, 10, 12, 14]]
EYES_PX = [[3, 5, 3, 9], [0, 10, 0, 14], [0, 2, 5, 9], [5, 6, 10, 14]]


def fractions(boxes_px):
    return torch.tensor(boxes_px) / torch.tensor([HEIGHT, HEIGHT, WIDTH, WIDTH])


def inside(box_px):
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.float64)
    y0, y1, x0, x1 = box_px
    mask[y0:y1, x0:x1] = 1
    return mask


def pixel_probability(image: int, weight: float, share: float, with_face: bool = True) -> torch.Tensor:
    """Closed form: NerFace's weights, and each region's own part of the region share."""
    mask = inside(BOXES_PX[image])
    base = weight * mask + (1 - weight) * (1 - mask) if with_face else torch.ones_like(mask)
    regions = [inside(boxes[image]) for boxes in (MOUTHS_PX, EYES_PX)]
    region_part = sum(mask / mask.sum() / len(regions) for mask in regions)
    return (1 - share) * base / base.sum() + share * region_part


def draw_counts(sampler: FacePixelSampler, image: int, num_rays: int) -> torch.Tensor:
    sampler.set_num_rays_per_batch(num_rays)
    indices = sampler.sample(torch.tensor([image]))
    assert (indices[:, 0] == image).all()
    assert ((indices[:, 1:] >= 0) & (indices[:, 1:] < torch.tensor([HEIGHT, WIDTH]))).all()
    return torch.bincount(indices[:, 1] * WIDTH + indices[:, 2], minlength=HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)


@pytest.mark.parametrize("image", range(4))
@pytest.mark.parametrize(("weight", "share", "with_face"), [(0.9, 0.25, True), (0.7, 0.0, True), (0.9, 0.5, False)])
def test_pixels_are_drawn_after_the_closed_form(image, weight, share, with_face):
    """No pixel's count is off by more than 5 standard deviations of 200,000 draws, and the sum of squares fits."""
    torch.manual_seed(0)
    config = FacePixelSamplerConfig(face_box_weight=weight, region_share=share)
    regions = {"mouth": fractions(MOUTHS_PX), "eyes": fractions(EYES_PX)}
    face = fractions(BOXES_PX) if with_face else None
    sampler = FacePixelSampler(config, 16, face, regions, HEIGHT, WIDTH)
    probability = pixel_probability(image, weight, share, with_face)
    num_rays = 200_000
    error = draw_counts(sampler, image, num_rays) - num_rays * probability
    deviation = (num_rays * probability * (1 - probability)).sqrt()
    assert (error.abs() <= 5 * deviation + 1e-9).all()
    possible = probability > 0
    assert (error[possible] ** 2 / (num_rays * probability[possible])).sum() < 2 * possible.sum()


def test_box_share_of_the_release():
    """A box of a quarter of the image gets 75 % of the rays at weight 0.9 (0.9 A / (0.9 A + 0.1 (1 - A)))."""
    torch.manual_seed(0)
    config = FacePixelSamplerConfig(face_box_weight=0.9)
    sampler = FacePixelSampler(config, 40_000, torch.tensor([[0.2, 0.7, 0.5, 1.0]]), {}, 20, 20)
    indices = sampler.sample(torch.tensor([0]))
    in_box = (indices[:, 1] >= 4) & (indices[:, 1] < 14) & (indices[:, 2] >= 10)
    assert in_box.double().mean().item() == pytest.approx(0.75, abs=0.01)


def test_rays_are_spread_evenly_over_the_images():
    sampler = FacePixelSampler(FacePixelSamplerConfig(), 22, fractions(BOXES_PX), {}, HEIGHT, WIDTH)
    counts = torch.bincount(sampler.sample(torch.tensor([3, 0, 2]))[:, 0], minlength=4)
    assert counts.tolist() == [7, 0, 7, 8]


def test_seed_decides_the_draw():
    """One seed gives one draw; another seed, as another process has it, gives another."""
    sampler = FacePixelSampler(FacePixelSamplerConfig(), 64, fractions(BOXES_PX), {}, HEIGHT, WIDTH)
    draws = []
    for seed in (42, 42, 43):
        torch.manual_seed(seed)
        draws.append(sampler.sample(torch.tensor([0, 3])))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_without_replacement_no_pixel_comes_twice():
    """Nor with as many rays as pixels; both images get theirs."""
    config = FacePixelSamplerConfig(region_share=0.0, replacement=False)
    sampler = FacePixelSampler(config, 2 * HEIGHT * WIDTH, fractions(BOXES_PX), {}, HEIGHT, WIDTH)
    indices = sampler.sample(torch.tensor([3, 0]))
    assert len(indices.unique(dim=0)) == len(indices)
    assert torch.bincount(indices[:, 0]).tolist() == [HEIGHT * WIDTH, 0, 0, HEIGHT * WIDTH]


def test_without_replacement_pixels_are_drawn_one_after_the_other():
    """Two of 2 x 2 pixels of weights 0.9, 0.1, 0.1, 0.1: the chance of each pair is summed over both orders."""
    torch.manual_seed(0)
    config = FacePixelSamplerConfig(region_share=0.0, replacement=False)
    sampler = FacePixelSampler(config, 2, torch.tensor([[0.0, 0.5, 0.0, 0.5]]), {}, 2, 2)
    weight, num_draws = torch.tensor([0.9, 0.1, 0.1, 0.1]), 2_000
    counts = torch.zeros(4, 4)
    for _ in range(num_draws):
        drawn = sampler.sample(torch.tensor([0]))
        first, second = sorted((drawn[:, 1] * 2 + drawn[:, 2]).tolist())
        counts[first, second] += 1
    share = weight / weight.sum()
    ordered = share[:, None] * share / (1 - share[:, None])
    expected = (ordered + ordered.T).triu(1)
    torch.testing.assert_close(counts / num_draws, expected, rtol=0, atol=0.04)


def test_without_replacement_an_image_needs_enough_pixels():
    config = FacePixelSamplerConfig(region_share=0.0, replacement=False)
    sampler = FacePixelSampler(config, HEIGHT * WIDTH + 1, None, {}, HEIGHT, WIDTH)
    with pytest.raises(ValueError, match=f"expected at most {HEIGHT * WIDTH} rays of an image"):
        sampler.sample(torch.tensor([0]))


def test_transposed_box_is_what_the_releases_numbering_makes():
    """NerFace draws k by weights numbered row by row, and takes pixel (k % height, k // height)."""
    torch.manual_seed(0)
    size, box = 8, [2, 7, 1, 3]
    weight = torch.full((size, size), 0.1, dtype=torch.float64)
    weight[box[0] : box[1], box[2] : box[3]] = 0.9
    expected = torch.zeros(size, size, dtype=torch.float64)
    for number, value in enumerate(weight.flatten() / weight.sum()):
        expected[number % size, number // size] += value
    config = FacePixelSamplerConfig(region_share=0.0, transposed_box=True)
    sampler = FacePixelSampler(config, 200_000, torch.tensor([box]) / size, {}, size, size)
    indices = sampler.sample(torch.tensor([0]))
    counts = torch.bincount(indices[:, 1] * size + indices[:, 2], minlength=size * size).reshape(size, size)
    torch.testing.assert_close(counts / 200_000, expected.float(), rtol=0.1, atol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replacement": False}, "region_share: expected 0 where replacement is False"),
        ({"transposed_box": True}, "transposed_box: expected square images, got 10 x 14"),
    ],
)
def test_settings_that_exclude_each_other(settings, message):
    with pytest.raises(ValueError, match=message):
        FacePixelSampler(FacePixelSamplerConfig(**settings), 4, None, {}, HEIGHT, WIDTH)


@pytest.mark.parametrize("name", ["face_box_weight", "region_share"])
def test_weight_beyond_its_range(name):
    with pytest.raises(ValueError, match=rf"{name}: expected a number in \[0, 1\], got 1\.5"):
        FacePixelSampler(FacePixelSamplerConfig(**{name: 1.5}), 4, None, {}, HEIGHT, WIDTH)


def test_face_box_to_pixels_rounds_outward():
    box = torch.tensor([[0.11, 0.52, 0.2, 1.0], [0.3, 0.6, 0.0, 0.05]])
    assert face_box_to_pixels(box, 10, 20).tolist() == [[1, 6, 4, 20], [3, 6, 0, 1]]


@pytest.mark.parametrize("box", [[0.5, 0.5, 0.0, 1.0], [0.0, 1.1, 0.0, 1.0]])
def test_face_box_to_pixels_refuses_empty_and_outside(box):
    with pytest.raises(ValueError, match="face_box needs 0 <= low < high <= 1"):
        face_box_to_pixels(torch.tensor([box]), 10, 10)


def test_a_step_has_a_ray_of_each_image():
    config = FacePixelSamplerConfig(first_rays_share=0.01, growth_steps=10, region_share=0.0)
    sampler = FacePixelSampler(config, 100, None, {}, HEIGHT, WIDTH)
    assert (sampler.rays_at(0, 1), sampler.rays_at(0, 8), sampler.rays_at(10, 8)) == (1, 8, 100)
    assert sampler.draw(torch.arange(4), 0)[0][:, 0].tolist() == [0, 1, 2, 3]
    sampler.set_num_rays_per_batch(3)
    assert sampler.rays_at(0, 8) == 3, "never more than a whole step's"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first_rays_share": 0.0}, "first_rays_share: expected above 0 and at most 1, got 0.0"),
        ({"first_rays_share": 1.5}, "first_rays_share: expected above 0 and at most 1, got 1.5"),
        ({"growth_steps": -1}, "growth_steps: expected 0 or more, got -1"),
    ],
)
def test_impossible_growth_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FacePixelSampler(FacePixelSamplerConfig(**settings), 100, None, {}, HEIGHT, WIDTH)
