from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_face import HEIGHT as TINY_HEIGHT
from tiny_face import WIDTH as TINY_WIDTH

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.data.face_pixel_sampler import FacePixelSampler, FacePixelSamplerConfig
from nerface_ns.data.patch_pixel_sampler import PatchPixelSampler, PatchPixelSamplerConfig

HEIGHT, WIDTH, SIZE = 20, 24, 6
FACES_PX = [[2, 14, 3, 15], [0, 20, 0, 24], [10, 20, 14, 24]]
MOUTHS_PX = [[9, 12, 5, 15], [18, 20, 0, 3], [12, 16, 16, 20]]


def fractions(boxes_px):
    return torch.tensor(boxes_px) / torch.tensor([HEIGHT, HEIGHT, WIDTH, WIDTH])


def make_sampler(num_rays: int = 100, **settings) -> PatchPixelSampler:
    settings = {"patches_from_step": 5, "patch_size": SIZE, **settings}
    regions = {"mouth": fractions(MOUTHS_PX)}
    return PatchPixelSampler(PatchPixelSamplerConfig(**settings), num_rays, fractions(FACES_PX), regions, HEIGHT, WIDTH)


def corners(sampler: PatchPixelSampler, image: int, step: int, draws: int = 400) -> np.ndarray:
    """First row and column of each patch drawn; every patch is checked to be whole."""
    found = []
    for _ in range(draws):
        indices, patch_rows = sampler.draw(torch.tensor([image]), step)
        patch = indices[patch_rows]
        first = patch[0, 0, 0, 1:]
        rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        assert torch.equal(patch[0, ..., 1:], torch.stack([rows, columns], dim=-1) + first)
        assert (patch[..., 0] == image).all()
        found.append(first.tolist())
    return np.array(found)


@pytest.mark.parametrize(
    ("image", "step", "rows", "columns"),
    [
        # Face boxes at even steps: patches lie inside.
        (0, 6, (2, 8), (3, 9)),
        (1, 6, (0, 14), (0, 18)),
        # Mouths at odd steps. Three rows of the first are fewer than a patch's six, which reaches over them.
        (0, 5, (6, 9), (5, 9)),
        # Two rows at the lower edge: all patches end there; three columns at the left edge: all begin there.
        (1, 5, (14, 14), (0, 0)),
        # Four by four in the midst: six contain them in three ways.
        (2, 7, (10, 12), (14, 16)),
    ],
)
def test_patches_lie_in_their_box_or_over_it(image, step, rows, columns):
    """All corners between the first and the last possible one are drawn, and no others."""
    torch.manual_seed(0)
    found = corners(make_sampler(), image, step)
    for axis, (low, high) in enumerate((rows, columns)):
        assert set(found[:, axis]) == set(range(low, high + 1))


def test_corners_are_drawn_evenly():
    torch.manual_seed(0)
    found = corners(make_sampler(), image=0, step=6, draws=980)
    counts = np.zeros((7, 7))
    np.add.at(counts, (found[:, 0] - 2, found[:, 1] - 3), 1)
    assert ((counts - 20) ** 2 / 20).sum() < 2 * 48


def test_whole_image_without_boxes():
    torch.manual_seed(0)
    config = PatchPixelSamplerConfig(patches_from_step=0, patch_size=SIZE, patch_regions=("image",))
    sampler = PatchPixelSampler(config, 40, None, {}, HEIGHT, WIDTH)
    found = corners(sampler, image=7, step=0, draws=800)
    assert found.min(axis=0).tolist() == [0, 0] and found.max(axis=0).tolist() == [HEIGHT - SIZE, WIDTH - SIZE]


def test_patch_as_large_as_the_image():
    config = PatchPixelSamplerConfig(patches_from_step=0, patch_size=HEIGHT, num_patches=1)
    sampler = PatchPixelSampler(config, 500, fractions(FACES_PX), {"mouth": fractions(MOUTHS_PX)}, HEIGHT, HEIGHT)
    indices, patch_rows = sampler.draw(torch.tensor([0]), 0)
    assert indices[patch_rows][0, 0, 0].tolist() == [0, 0, 0]


def test_step_decides_whether_and_where():
    """Before the boundary the draw is that of single pixels; from it on the places take turns."""
    sampler = make_sampler()
    torch.manual_seed(1)
    indices, patch_rows = sampler.draw(torch.tensor([0, 2]), 4)
    torch.manual_seed(1)
    plain = FacePixelSampler(
        FacePixelSamplerConfig(), 100, fractions(FACES_PX), {"mouth": fractions(MOUTHS_PX)}, HEIGHT, WIDTH
    )
    assert patch_rows is None and torch.equal(indices, plain.draw(torch.tensor([0, 2]), 4)[0])
    starts = [set(corners(sampler, 2, step, draws=60)[:, 0]) for step in (5, 6, 7, 8)]
    assert starts[0] == starts[2] == {10, 11, 12} and starts[1] == starts[3] == {10, 11, 12, 13, 14}


def test_negative_boundary_never_draws_patches():
    """Not even where none would fit, or the data have no boxes."""
    config = PatchPixelSamplerConfig(patches_from_step=-1, patch_size=64)
    sampler = PatchPixelSampler(config, 10, None, {}, HEIGHT, WIDTH)
    assert sampler.draw(torch.tensor([0]), 10**9)[1] is None


def test_rays_stay_grouped_by_image_and_complete():
    """Two patches of 36 leave 28 single pixels of 100, spread over three images in the order given."""
    indices, patch_rows = make_sampler(num_patches=2).draw(torch.tensor([2, 0, 1]), 5)
    assert len(indices) == 100 and patch_rows.shape == (2, SIZE, SIZE)
    changes = indices[1:, 0] != indices[:-1, 0]
    assert indices[:, 0][torch.cat([torch.tensor([True]), changes])].tolist() == [2, 0, 1]
    assert indices[patch_rows][:, 0, 0, 0].tolist() == [2, 0]
    assert len(patch_rows.unique()) == 2 * SIZE**2
    assert torch.bincount(indices[:, 0]).tolist() == [9 + 36, 9, 10 + 36]


def test_more_patches_than_images():
    indices, patch_rows = make_sampler(num_rays=120, num_patches=3).draw(torch.tensor([1, 0]), 5)
    assert indices[patch_rows][:, 0, 0, 0].tolist() == [1, 0, 1]


def test_too_few_rays_for_the_patches():
    with pytest.raises(ValueError, match=r"train_num_rays_per_batch: expected more than the 72 rays of 2 patches"):
        make_sampler(num_rays=72, num_patches=2).draw(torch.tensor([0]), 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_size": 21}, r"patch_size: expected 2 to 20 pixels.*images of 20 x 24, got 21"),
        ({"patch_size": 1}, r"patch_size: expected 2 to 20 pixels"),
        ({"num_patches": 0}, r"num_patches: expected at least 1, got 0"),
        (
            {"patch_regions": ("face", "eyes")},
            r"patch_regions: expected names among \['face', 'image', 'mouth'\].*\['face', 'eyes'\]",
        ),
        ({"patch_regions": ()}, r"patch_regions: expected names among"),
    ],
)
def test_settings_that_cannot_be_followed(settings, message):
    with pytest.raises(ValueError, match=message):
        make_sampler(**settings)


def make_manager(root, **settings):
    sampler = PatchPixelSamplerConfig(**{"patches_from_step": 3, "patch_size": 5, **settings})
    return FaceDataManagerConfig(
        dataparser=NeRFaceDataParserConfig(data=root),
        train_num_rays_per_batch=200,
        eval_num_rays_per_batch=100,
        images_per_batch=3,
        pixel_sampler=sampler,
    ).setup(test_mode="val")


def test_training_batches_hold_the_patches_colours(tiny_face):
    """The coded images' green tells the row, their blue the column: a patch counts both up."""
    torch.manual_seed(0)
    manager = make_manager(tiny_face)
    assert "patch_rows" not in manager.next_train(2)[1]
    rays, batch = manager.next_train(3)
    assert len(rays) == len(batch["image"]) == 200
    patch = batch["image"][batch["patch_rows"]][0] * 255
    torch.testing.assert_close(patch.diff(dim=0)[..., 1], torch.ones(4, 5), atol=1e-3, rtol=0)
    torch.testing.assert_close(patch.diff(dim=1)[..., 2], torch.ones(5, 4), atol=1e-3, rtol=0)
    assert (patch[..., 0] == patch[0, 0, 0]).all()
    assert torch.equal(rays.metadata["frame_index"], batch["indices"][:, :1])
    assert "patch_rows" not in manager.next_eval(3)[1]


def test_patch_larger_than_the_training_images(tiny_face):
    """Before the first step, not when patches begin."""
    with pytest.raises(ValueError, match=rf"patch_size.*{TINY_HEIGHT} x {TINY_WIDTH}, got 32"):
        make_manager(tiny_face, patch_size=32)
