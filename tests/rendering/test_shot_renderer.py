import dataclasses

import numpy as np
import pytest
import torch
from blob_model import train_expression

from nerface_ns.rendering.backdrop import Backdrop
from nerface_ns.rendering.finished_frames import FinishedFrames
from nerface_ns.rendering.frame_composer import composed_frames, composed_sheet
from nerface_ns.rendering.render_plan import RenderPlan
from nerface_ns.rendering.shot_renderer import ShotRenderer


@pytest.fixture
def shots(subject):
    pose = subject.own_camera.camera_to_worlds[0]
    return subject.shots([pose] * 4, train_expression()[[0, 3, 0, 5]], ["a", "b", "c", "d"])


@pytest.fixture
def make_renderer(subject, tmp_path):
    def make(backdrop=None, run_key="run"):
        return ShotRenderer(subject.model, run_key, backdrop or Backdrop(), FinishedFrames(tmp_path / "clip.mp4"))

    return make


def test_each_distinct_shot_is_rendered_once(make_renderer, shots):
    """The third asks for what the first does; its title is no part of the render."""
    renderer = make_renderer()
    missing, num_finished = renderer.missing(shots)
    assert len(missing) == 3 and num_finished == 0
    done = []
    renderer.render(missing, lambda: done.append(1))
    assert len(done) == 3 and renderer.missing(shots) == ({}, 3)
    pictures = list(renderer.read(shots))
    np.testing.assert_array_equal(pictures[0], pictures[2])
    assert (pictures[0] != pictures[1]).any()


def test_pictures_are_the_models(make_renderer, shots, subject):
    """Rounded to 8 bits."""
    renderer = make_renderer()
    renderer.render(renderer.missing(shots)[0])
    picture = next(renderer.read(shots[1:]))
    with torch.no_grad():
        expected = subject.model.get_outputs_for_camera(shots[1].camera)["rgb"]
    np.testing.assert_array_equal(picture, (expected * 255).round().numpy().astype(np.uint8))


def test_render_that_stopped_goes_on(make_renderer, shots):
    """Stopped after two frames, another try renders the third alone."""

    class StoppedError(Exception):
        pass

    def stop_after_two():
        done.append(1)
        if len(done) == 2:
            raise StoppedError

    done: list[int] = []
    renderer = make_renderer()
    with pytest.raises(StoppedError):
        renderer.render(renderer.missing(shots)[0], stop_after_two)
    missing, num_finished = make_renderer().missing(shots)
    assert len(missing) == 1 and num_finished == 2


def test_model_that_draws_at_random_shows_the_same_in_any_order(make_renderer, shots, subject, monkeypatch):
    """As NerFace's released code does; what it draws follows from the shot, and nobody else's chance is touched."""
    once = type(subject.model).get_outputs_for_camera

    def noisy(self, camera, obb_box=None):
        outputs = once(self, camera, obb_box)
        return {**outputs, "rgb": (outputs["rgb"] + torch.rand_like(outputs["rgb"])) / 2}

    monkeypatch.setattr(type(subject.model), "get_outputs_for_camera", noisy)
    first, second = make_renderer(), make_renderer(run_key="run")
    second.finished = FinishedFrames(second.finished.folder.parent / "other.mp4")
    missing = first.missing(shots)[0]
    torch.manual_seed(3)
    first.render(missing)
    drawn = torch.rand(())
    second.render(dict(reversed(missing.items())))
    for one, other in zip(first.read(shots), second.read(shots)):
        np.testing.assert_array_equal(one, other)
    torch.manual_seed(3)
    assert torch.rand(()) == drawn


def test_frames_of_anything_else_are_rendered_anew(make_renderer, shots):
    """Another run, background, size, code: not one of the finished frames counts."""
    renderer = make_renderer()
    renderer.render(renderer.missing(shots)[0])
    coded = [
        dataclasses.replace(
            shot,
            camera=dataclasses.replace(
                shot.camera, metadata={**shot.camera.metadata, "latent_code": torch.full((1, 8), 0.5)}
            ),
        )
        for shot in shots
    ]
    for other, asked in (
        (make_renderer(run_key="other"), shots),
        (make_renderer(Backdrop((1.0, 1.0, 1.0))), shots),
        (make_renderer(Backdrop(is_transparent=True)), shots),
        (renderer, coded),
    ):
        assert len(other.missing(asked)[0]) == 3


def test_numbers_that_are_none_are_refused(make_renderer, shots, subject, monkeypatch):
    """A picture with NaN in it is never kept."""
    outputs = {name: torch.full((2, 2, 3), torch.nan) for name in ("rgb", "foreground", "accumulation")}
    monkeypatch.setattr(subject.model, "get_outputs_for_camera", lambda camera, obb_box: outputs)
    renderer = make_renderer()
    with pytest.raises(ValueError, match="frame a: rendered NaN or infinity"):
        renderer.render(renderer.missing(shots)[0])
    assert not renderer.finished.folder.exists()


def test_frames_are_put_together(make_renderer, shots):
    """Driver left, scaled to the same height; title above, bar below both."""
    renderer = make_renderer()
    renderer.render(renderer.missing(shots)[0])
    driver = np.full((24, 32, 3), 9, dtype=np.uint8)
    plan = RenderPlan(shots, 25.0, [0.0, 0.1, 0.0, 0.7], beside=lambda index: driver + np.uint8(index))
    frames = list(composed_frames(plan, renderer, show_extrapolation=True))
    height = 12 + 28
    assert [frame.shape for frame in frames] == [(height + 4, 2 * round(height * 32 / 24 / 2) + 16, 3)] * 4
    assert [int(frame[20, 20, 0]) for frame in frames] == [9, 10, 11, 12]
    np.testing.assert_array_equal(frames[1][28:40, -16:], next(renderer.read(shots[1:])))


def test_transparent_frames_stand_alone(make_renderer, shots):
    """Neither title nor neighbour, which are opaque."""
    renderer = make_renderer(Backdrop(is_transparent=True))
    renderer.render(renderer.missing(shots)[0])
    plan = RenderPlan(shots, 25.0, [0.0] * 4, beside=lambda index: np.zeros((4, 4, 3), dtype=np.uint8))
    assert next(composed_frames(plan, renderer, show_extrapolation=False)).shape == (12, 16, 4)


@pytest.mark.parametrize("backdrop", [Backdrop(), Backdrop(is_transparent=True)])
def test_contact_sheet(make_renderer, shots, backdrop):
    """Two rows of two pictures, each with its title above; opaque whatever the frames are."""
    renderer = make_renderer(backdrop)
    renderer.render(renderer.missing(shots)[0])
    sheet = composed_sheet(RenderPlan(shots, 25.0, sheet=[shots[:2], shots[2:]]), renderer, cell_px=24)
    assert sheet.shape == (2 * (24 + 28), 2 * 32 + 4, 3)
