import dataclasses

import pytest
import torch
from patchy_head import SIZE, camera_at

from nerface_ns.fitting import photo_fitter
from nerface_ns.fitting.fit_settings import FitSettings
from nerface_ns.fitting.photo import Photo
from nerface_ns.fitting.photo_fitter import PhotoFitter
from nerface_ns.rendering.posed_camera import posed_camera
from nerface_ns.rendering.training_cameras import rotation_angle_deg

SETTINGS = FitSettings(starts=1, pixels=300, iterations=3)
EXPRESSION = torch.tensor([0.45, 0.5, 0.45])


def photo_at(subject, pose, expression=EXPRESSION, code: float = 0.0, name: str = "a.png") -> Photo:
    codes = torch.full((subject.model.latent_codes.codes.shape[1],), code)
    camera = posed_camera(subject.own_camera, pose, expression, codes)
    with torch.no_grad():
        return Photo(name, subject.model.get_outputs_for_camera(camera)["rgb"])


def turn_deg(found: torch.Tensor, pose: torch.Tensor) -> float:
    return float(rotation_angle_deg(found[None, :, :3], pose[None, :, :3]))


@pytest.fixture(scope="module", autouse=True)
def fewer_rounds():
    """Two steps from coarse to fine will do for a picture of 24 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_fitter, "ROUNDS", ((24, 1.5), None))
        yield


@pytest.fixture(scope="module")
def pose() -> torch.Tensor:
    """Eight degrees from the nearest training frame."""
    return camera_at(0.22, 0.0, 0.47)


@pytest.fixture(scope="module")
def fitted(subject, pose):
    return PhotoFitter(subject, SETTINGS).fit([photo_at(subject, pose)])[0]


def test_the_pose_is_found(fitted, pose, subject):
    assert turn_deg(fitted.shown.pose, pose) < 0.7
    assert (fitted.shown.pose[:, 3] - pose[:, 3]).norm() < 0.01


def test_what_can_be_seen_of_the_expression_is_found(fitted):
    """Nothing shows the third coefficient."""
    assert (fitted.shown.expression - EXPRESSION)[:2].abs().max() < 0.1


def test_the_error_is_told(fitted):
    assert fitted.figures["psnr"] > 30 and fitted.figures["correlation"] > 0.98
    assert fitted.figures["scene"] == "recorded" and fitted.figures["size"] == [SIZE, SIZE]


def test_the_comparison_shows_photo_fit_and_error(fitted):
    picture = fitted.comparison()
    height = picture.shape[0] - 18
    photo, fit = picture[18:, :height], picture[18:, height : 2 * height]
    assert picture.shape[1] == 3 * height and abs(photo.astype(int) - fit.astype(int)).mean() < 5


def test_the_model_stays_as_it_is(subject, pose):
    before = {name: value.clone() for name, value in subject.model.state_dict().items()}
    PhotoFitter(subject, dataclasses.replace(SETTINGS, iterations=1)).fit([photo_at(subject, pose)])
    for name, value in subject.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_another_background_does_not_count(subject, pose):
    photo = photo_at(subject, pose)
    with torch.no_grad():
        camera = posed_camera(subject.own_camera, pose, EXPRESSION, torch.zeros(8))
        opacity = subject.model.get_outputs_for_camera(camera)["accumulation"]
    stripes = torch.sin(torch.arange(SIZE) * 0.9)[:, None, None].expand(SIZE, SIZE, 3) / 2 + 0.5
    other = dataclasses.replace(photo, image=torch.where(opacity > 0.5, photo.image, stripes))
    (fitted,) = PhotoFitter(subject, SETTINGS).fit([other])
    assert fitted.figures["scene"] == "other" and turn_deg(fitted.shown.pose, pose) < 1.5
    masked = dataclasses.replace(other, alpha=opacity[..., 0])
    (fitted,) = PhotoFitter(subject, SETTINGS).fit([masked])
    assert fitted.figures["scene"] == "masked" and turn_deg(fitted.shown.pose, pose) < 1.0


def test_photos_share_one_code(subject, pose):
    """One code tints both; fitted together they get the same, near the true one."""
    poses = [pose, camera_at(-0.2)]
    code = 0.45
    photos = [photo_at(subject, pose, code=code, name=f"{index}.png") for index, pose in enumerate(poses)]
    fitted = PhotoFitter(subject, SETTINGS).fit(photos)
    assert torch.equal(fitted[0].shown.code, fitted[1].shown.code)
    assert abs(float(fitted[0].shown.code[0]) - code) < 0.1
    for result, true_pose in zip(fitted, poses):
        assert turn_deg(result.shown.pose, true_pose) < 1.0


def test_a_photo_without_a_face(subject):
    noise = torch.rand(SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"b.png: expected a photo of the person of this run"):
        PhotoFitter(subject, SETTINGS).fit([Photo("b.png", noise)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 8}, "--fit.size 8: expected at least 16"),
        ({"starts": 0}, "--fit.starts 0: expected at least 1"),
        ({"photo_weight": float("nan")}, "--fit.photo-weight nan: expected a positive number"),
    ],
)
def test_settings_that_make_no_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SETTINGS, **changes).check()
