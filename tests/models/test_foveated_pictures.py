"""Pictures that are sharp on the face only."""

import copy

import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, make_cameras, make_metadata, make_model

from nerface_ns.model_components.foveation import SOFT_EDGE, FoveationConfig, foveation_of

SCALE = 4.0


def foveated_model(radius: float, **settings):
    torch.manual_seed(0)
    return make_model(foveation=FoveationConfig(radius=radius), **settings)


def distances(found) -> torch.Tensor:
    rows, columns = torch.arange(int(SCALE * HEIGHT)), torch.arange(int(SCALE * WIDTH))
    return torch.hypot(rows[:, None] + 0.5 - found.name[1][0], columns[None] + 0.5 - found.name[1][1])


def test_the_face_is_what_it_is_in_a_whole_picture():
    model = foveated_model(0.15, eval_num_rays_per_chunk=100)
    asked, render_rays = [], model.render_rays
    model.render_rays = lambda rays, *rest: (asked.append(len(rays)), render_rays(rays, *rest))[1]
    camera = make_cameras(scale=SCALE)[1:2]
    pictures = [model.get_outputs_for_camera(camera) for _ in range(2)]  # the second one with kept samples
    found = foveation_of(model.foveation, camera, model.scene_box.aabb)
    assert sum(asked) == 2 * len(found.pixels) < 2 * HEIGHT * WIDTH * SCALE**2
    model.foveation.radius = 0.0
    whole = model.get_outputs_for_camera(camera)
    inside = distances(found) < (1 - SOFT_EDGE) * found.name[2] - 1e-3
    assert inside.sum() > 20
    for picture in pictures:
        assert picture.keys() == whole.keys()
        for name, image in whole.items():
            assert picture[name].shape == image.shape
            # Chunks are cut elsewhere, which moves the last bit.
            torch.testing.assert_close(picture[name][inside], image[inside], atol=1e-5, rtol=1e-5)
    assert not torch.equal(pictures[0]["rgb"], whole["rgb"]), "outside something has to differ"


def test_models_of_before_render_every_pixel():
    model = make_model()
    config = copy.copy(model.config)
    del config.foveation
    again = config.setup(scene_box=model.scene_box, num_train_data=NUM_FRAMES, metadata=make_metadata())
    assert again.foveation.radius == 0
