import dataclasses

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.model_components.packed_samples import PackedSamples
from nerface_ns.model_components.view_cache import MOST_VIEWS, ViewCache, image_rays, view_name

HEIGHT, WIDTH = 6, 8


def camera_at(x: float = 0.0, focal: float = 20.0) -> Cameras:
    pose = torch.eye(4)[:3]
    pose[:, 3] = torch.tensor([x, 0.0, 1.0])
    return Cameras(pose[None], focal, focal, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def find(cache: ViewCache, camera: Cameras, made: list):
    return cache.view(camera, None, lambda: (made.append(1), image_rays(camera, None))[1])


def samples_of(count: int) -> PackedSamples:
    rows, starts = torch.zeros(count, dtype=torch.long), torch.arange(count, dtype=torch.float32)
    return PackedSamples.from_ray_indices(rows, starts, starts + 1, 1)


def test_rays_are_made_once_for_a_place():
    cache, made = ViewCache(10), []
    first = find(cache, camera_at(), made)
    assert find(cache, camera_at(), made) is first and len(made) == 1
    torch.testing.assert_close(first.rays.directions, image_rays(camera_at(), None).directions)
    assert first.rays.metadata["pixel_position"][1].tolist() == pytest.approx([1.5 / WIDTH, 0.5 / HEIGHT])
    for other in (camera_at(0.1), camera_at(focal=21.0), dataclasses.replace(camera_at(), cx=torch.tensor([[3.0]]))):
        assert view_name(other, None) != view_name(camera_at(), None)
        assert find(cache, other, made) is not first


def test_the_last_views_are_kept():
    cache, made = ViewCache(10), []
    views = [find(cache, camera_at(x), made) for x in range(MOST_VIEWS)]
    assert find(cache, camera_at(0), made) is views[0]
    find(cache, camera_at(MOST_VIEWS), made)
    assert find(cache, camera_at(0), made) is views[0]
    assert find(cache, camera_at(1), made) is not views[1]


def test_samples_are_recalled_under_the_same_state_only():
    memo = find(ViewCache(10), camera_at(), []).memo(0, torch.zeros(1, 3))
    kept = samples_of(5)
    assert memo.recall("grid") is None
    memo.keep("grid", kept)
    assert memo.recall("grid") is kept and memo.recall("another") is None


def test_nothing_beyond_the_budget_is_kept():
    too_many, made = 100_000, []
    view = find(ViewCache(2), camera_at(), made)
    small, large = view.memo(0, torch.zeros(1, 3)), view.memo(9, torch.zeros(1, 3))
    small.keep(0, samples_of(100))
    large.keep(0, samples_of(too_many))
    assert small.recall(0) is not None and large.recall(0) is None
    without = ViewCache(0)
    assert find(without, camera_at(), made) is not find(without, camera_at(), made) and len(made) == 3


@pytest.mark.parametrize("part", ["R", "T", "S"])
def test_another_crop_is_another_view(part):
    from nerfstudio.data.scene_box import OrientedBox

    box = OrientedBox(R=torch.eye(3), T=torch.zeros(3), S=torch.ones(3))
    other = dataclasses.replace(box, **{part: getattr(box, part) + 0.1})
    names = {view_name(camera_at(), crop) for crop in (None, box, other)}
    assert len(names) == 3
