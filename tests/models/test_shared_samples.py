"""Pictures ask for each sample once, and share what depends on their camera alone."""

import dataclasses

import pytest
import torch
from blob_model import HEIGHT, WIDTH, make_cameras, make_model, train_expression, train_rays

from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components import occupancy


@pytest.mark.parametrize("frames", [[2], [0, 3]], ids=["one frame", "two frames"])
def test_answers_from_sampling_give_the_same_picture(frames):
    """Without gradients one frame's samples are asked for once; with them, those that are seen again."""
    torch.manual_seed(0)
    model = make_model(radiance_field=WarpedGridFieldConfig()).eval()
    asked, get_density = [], model.field.get_density
    model.field.get_density = lambda positions, *rest: (asked.append(len(positions)), get_density(positions, *rest))[1]
    again = model(train_rays(frames))
    seen, of_both = int(again["num_samples_per_ray"].sum()), sum(asked)
    asked.clear()
    with torch.no_grad():
        once = model(train_rays(frames))
    assert seen > 100 and sum(asked) == (of_both - seen if len(frames) == 1 else of_both)
    for name, image in again.items():
        torch.testing.assert_close(once[name], image.detach(), atol=1e-6, rtol=1e-5)


def test_pictures_from_one_place_share_their_samples(monkeypatch):
    """To the bit what they are without, for every expression, also after the grid has changed or training went on."""
    marched, traverse = [], occupancy.traverse_occupied
    monkeypatch.setattr(occupancy, "traverse_occupied", lambda *rays: (marched.append(1), traverse(*rays))[1])
    torch.manual_seed(0)
    field = WarpedGridFieldConfig()
    model = make_model(radiance_field=field, eval_num_rays_per_chunk=100)
    bare = make_model(radiance_field=field, eval_num_rays_per_chunk=100, view_cache_mb=0)
    bare.load_state_dict(model.state_dict())
    chunks = -(-2 * HEIGHT * 2 * WIDTH // 100)

    def show(frame: int, row: int) -> int:
        """Compare both models' pictures; return how many chunks the first one marched through."""
        expression = {"expression": train_expression()[row : row + 1], "frame_index": torch.full((1, 1), -1)}
        camera = dataclasses.replace(make_cameras(scale=2.0)[frame : frame + 1], metadata=expression)
        expected = bare.get_outputs_for_camera(camera)
        marched.clear()
        found = model.get_outputs_for_camera(camera)
        assert all(torch.equal(found[name], image) for name, image in expected.items())
        return len(marched)

    assert [show(2, 0), show(2, 1), show(3, 1), show(2, 2), show(1, 0), show(2, 2)] == [chunks, 0, chunks, 0, chunks, 0]
    model.train()
    assert torch.isfinite(model(train_rays([2]))["rgb"]).all()
    model.eval()
    for each in (model, bare):
        each.occupancy.forbid(torch.arange(each.occupancy.cells_per_lvl) % 3 == 0)
    assert [show(2, 0), show(2, 1)] == [chunks, 0]
