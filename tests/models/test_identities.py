"""What a model that knows several persons makes of frames and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, make_cameras, make_metadata, make_model, train_expression, train_rays
from PIL import Image

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.face_condition import DrivenFrame
from nerface_ns.conditioning.identities import IdentitiesConfig, parse_shares
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.field_components.identity_grids import IdentityGrids

NAMES = ("anna", "ben")
WHOSE = torch.tensor([0, 0, 1, 1, 1, 0])


def two_persons(names: tuple[str, ...] = NAMES, backgrounds: tuple = (None, None)) -> dict[str, Any]:
    return {
        **make_metadata(background=backgrounds[0]),
        keys.IDENTITY_NAMES: names,
        keys.TRAIN_IDENTITY: WHOSE,
        keys.IDENTITY_BACKGROUNDS: backgrounds,
    }


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return make_model(two_persons(), identities=IdentitiesConfig(length=4))


def test_a_frames_condition_is_its_persons(model):
    """Expressions are centred on the person's own mean; the code follows them and the frame's own code."""
    frames = torch.tensor([1, 3])
    condition = model.make_condition(model.train_camera_to_world[frames], frames)
    expression, codes = train_expression(), model.identities.codes
    centred = torch.stack([expression[row] - expression[WHOSE[row] == WHOSE].mean(dim=0) for row in (1, 3)])
    torch.testing.assert_close(condition.expression, torch.cat([centred, codes], dim=1))
    torch.testing.assert_close(condition.latent_code, torch.cat([model.latent_codes.codes[frames], codes], dim=1))
    torch.testing.assert_close(condition.identity, torch.eye(2))


def test_expressions_are_clamped_to_the_persons_own_range(model):
    far = torch.full((1, 3), 9.0)
    for person in range(2):
        own = train_expression()[person == WHOSE]
        low, high = own.amin(dim=0), own.amax(dim=0)
        found = model.identities.encode(far, torch.eye(2)[person : person + 1])[0]
        torch.testing.assert_close(found, high + 0.1 * (high - low) - own.mean(dim=0))


def test_persons_mix_linearly(model):
    pose, expression = model.train_camera_to_world[:1], torch.full((1, 3), 0.4)
    shares = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]])
    first, second, mixed = (model.make_condition(pose, expression=expression, identity=row[None]) for row in shares)
    for name in ("expression", "latent_code"):
        torch.testing.assert_close(getattr(mixed, name), 0.25 * getattr(first, name) + 0.75 * getattr(second, name))


def metadata_of(**entries: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: value.expand(NUM_FRAMES, -1) for name, value in entries.items()}


@pytest.mark.parametrize(
    ("metadata", "time", "expected"),
    [
        (metadata_of(identity=torch.tensor([1]), identity_shares=torch.tensor([0.3, 0.7])), None, [0.3, 0.7]),
        (metadata_of(identity=torch.tensor([1]), frame_index=torch.tensor([-1])), None, [0.0, 1.0]),
        (metadata_of(frame_index=torch.tensor([3])), 0.0, [0.0, 1.0]),
        (None, 0.45, [0.0, 1.0]),
        (None, 0.8, [1.0, 0.0]),
        (None, None, [1.0, 0.0]),
    ],
    ids=["shares", "whose it is", "training frame", "time of the second", "time of the first", "nothing"],
)
def test_whom_a_camera_shows(model, metadata, time, expected):
    times = None if time is None else torch.full((NUM_FRAMES, 1), time)
    camera = make_cameras(times=times, metadata=metadata)[0:1]
    torch.testing.assert_close(model.get_camera_condition(camera).identity, torch.tensor([expected]))


def test_a_driver_says_whom_to_show(model):
    camera, driven = make_cameras(times=torch.zeros(NUM_FRAMES, 1))[0:1], DrivenFrame(identity=torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(model.get_camera_condition(camera, driven).identity, torch.tensor([[0.0, 1.0]]))


def test_unseen_frames_take_codes_of_their_person(model):
    """Only protocols that look at other frames' codes: the mean of the person's, and the nearest among the person's."""
    likeness = model.identities.frames_like(torch.tensor([[0.0, 1.0]]))
    codes, expression = model.latent_codes.codes, train_expression()
    torch.testing.assert_close(
        model.latent_codes.unseen(expression[:1], "mean", likeness=likeness)[0], codes[WHOSE == 1].mean(dim=0)
    )
    own = (WHOSE == 1).nonzero()[:, 0]
    nearest = own[(expression[own] - expression[0]).norm(dim=1).argmin()]
    torch.testing.assert_close(
        model.latent_codes.unseen(expression[:1], "nearest", likeness=likeness)[0], codes[nearest]
    )


def test_everybody_stands_before_their_own_background(tmp_path: Path):
    paths = (tmp_path / "anna.png", tmp_path / "ben.png")
    for path, level in zip(paths, (50, 200)):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8)).save(path)
    model = make_model(two_persons(backgrounds=paths))
    position = torch.rand(5, 2)
    shares = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    expected = torch.tensor([50.0, 200, 125, 50, 200])[:, None].expand(5, 3) / 255
    torch.testing.assert_close(model.background(position, None, shares), expected)
    rays = train_rays([1, 3])
    with torch.no_grad():
        shown = model(rays)["background"]
    torch.testing.assert_close(shown[:40], torch.full((40, 3), 50 / 255))
    torch.testing.assert_close(shown[40:], torch.full((40, 3), 200 / 255))


def test_one_photograph_alone_makes_backgrounds_that_learn(tmp_path: Path):
    path = tmp_path / "anna.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 50, np.uint8)).save(path)
    image = make_model(two_persons(backgrounds=(path, None))).background.image
    assert image.requires_grad and image.shape == (2, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(image[:, 0, 0, 0], torch.tensor([50 / 255, 0.5]))


def test_codes_are_a_group_of_their_own(model):
    assert [p is model.identities.codes for p in model.get_param_groups()["identity_codes"]] == [True]
    assert "identity_codes" not in make_model().get_param_groups()


def test_one_person_leaves_nothing_in_the_checkpoint():
    assert not [name for name in make_model().state_dict() if "identit" in name]


def test_a_checkpoint_of_another_number_of_persons(model):
    with pytest.raises(ValueError, match=r"checkpoint: expected 1 person as in the data, got 2; .*commas between"):
        make_model().load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match=r"checkpoint: expected 2 persons as in the data, got 1"):
        model.load_state_dict(make_model().state_dict())


def test_settings_that_tell_nobody_apart():
    with pytest.raises(ValueError, match=r"identities.length: expected at least 1 to tell 2 persons by, got 0"):
        make_model(two_persons(), identities=IdentitiesConfig(length=0))
    with pytest.raises(ValueError, match="carl: expected at least one training frame, got none"):
        make_model(two_persons((*NAMES, "carl"), (None,) * 3))


def test_grids_of_persons_are_weighed_by_their_shares():
    torch.manual_seed(0)
    grids = IdentityGrids(FeatureGridConfig(resolutions=(3, 5), init_scale=1.0), 2)
    points, rows = torch.rand(9, 3), torch.tensor([0] * 3 + [1] * 3 + [2] * 3)
    shares = torch.tensor([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]])
    alone = torch.stack([grid(points) for grid in grids.persons], dim=1)
    expected = (shares[rows][:, :, None] * alone).sum(dim=1)
    found = grids(points, rows, shares)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert all(grid.table.grad is not None for grid in grids.persons)
    torch.testing.assert_close(grids(points, rows * 0, shares[:1]), alone[:, 0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("anna", [1, 0]), ("ben:2", [0, 1]), ("anna:1,ben:3", [0.25, 0.75])],
)
def test_mixtures_are_read(text, expected):
    torch.testing.assert_close(parse_shares(text, NAMES), torch.tensor(expected).float())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("carl", "expected persons among anna, ben, got 'carl'"),
        ("anna:x", "expected a positive number once for each person, got 'x'"),
        ("anna:0", "got '0'"),
        ("anna,anna", "got anna twice"),
    ],
)
def test_bad_mixtures(text, message):
    with pytest.raises(ValueError, match=f"--identity {text}: .*{message}"):
        parse_shares(text, NAMES)
