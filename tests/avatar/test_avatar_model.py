from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_models import made_up_pipeline

from nerface_ns.avatar import avatar_file
from nerface_ns.avatar.avatar_file import read_avatar, write_avatar
from nerface_ns.avatar.avatar_model import build_avatar, load_avatar
from nerface_ns.avatar.avatar_table import avatar_facts
from nerface_ns.avatar.exported_avatar import avatar_of
from nerface_ns.rendering.head_camera import orbit_poses
from nerface_ns.rendering.render_subject import RenderSubject


def pictures(pipeline):
    """From the side, with an expression that was never seen, without and with a latent code."""
    subject = RenderSubject(pipeline, Path("x"))
    (pose,) = orbit_poses(subject.own_camera.camera_to_worlds[0], subject.pivot, np.array([0.3]), 20.0, 5.0)
    expression = subject.train_expression.flip(1)[:2]
    codes = torch.full((2, 2), 0.3)
    shots = [*subject.shots([pose] * 2, expression), *subject.shots([pose] * 2, expression, codes=codes)]
    return [subject.model.get_outputs_for_camera(shot.camera) for shot in shots]


@pytest.mark.parametrize("kind", ["grid", "paper", "siren", "tables", "refined"])
def test_renders_equal_the_runs(kind, tmp_path):
    """Bit for bit, in all outputs."""
    pipeline = made_up_pipeline(kind)
    write_avatar(tmp_path / "a.nerface", avatar_of("run", pipeline, "nerface", 3, "none", "none"))
    loaded = load_avatar(tmp_path / "a.nerface")
    for before, after in zip(pictures(pipeline), pictures(loaded)):
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert before["accumulation"].max() > 0.01


def test_what_is_written_is_read(avatar, tmp_path):
    write_avatar(tmp_path / "a.nerface", avatar)
    read = read_avatar(tmp_path / "a.nerface")
    for item in dataclasses.fields(avatar):
        before, after = getattr(avatar, item.name), getattr(read, item.name)
        if isinstance(before, torch.Tensor):
            assert torch.equal(before, after)
        elif item.name == "state":
            assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
        else:
            assert before == after


def test_photograph_becomes_part_of_the_state(avatar):
    assert avatar.model_config.background.mode == "learned"
    assert avatar.state["background.image"].shape == (1, 3, 8, 10)
    assert avatar.thumbnail.shape == (8, 10, 3)


def test_facts_tell_licence_and_note(avatar, tmp_path):
    write_avatar(tmp_path / "a.nerface", avatar)
    facts = avatar_facts(avatar, tmp_path / "a.nerface")
    assert (facts["licence"], facts["note"]) == ("CC BY 4.0", "she agreed")
    assert facts["expression"] == "3 coefficients: name0, name1, name2"
    assert facts["images"] == "10 x 8 pixels, 4 training frames"


def changed(avatar, **values):
    return dataclasses.replace(avatar, **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"near_far": (0.5, 0.5)}, "near_far"),
        ({"image_size": (8, 10**6)}, "image_size"),
        ({"step": -1}, "step"),
        ({"method": "../x"}, "method"),
        ({"licence": "x" * 4001}, "licence"),
        ({"note": "\x1b[2J"}, "note: expected a text without control characters"),
        ({"expression_names": ("a", "a", "b")}, "expression_names: expected distinct"),
        ({"expression_names": ("a", "b")}, "frames.expression: expected"),
        ({"scene_box": torch.zeros(2, 3)}, "scene_box"),
        ({"camera_to_world": torch.zeros(4, 3, 4)}, "proper rotations"),
        ({"intrinsics": torch.zeros(4, 4)}, "positive focal lengths"),
        ({"thumbnail": torch.zeros(2000, 2, 3, dtype=torch.uint8)}, "thumbnail"),
        ({"gaze": torch.full((4, 2), 1e7)}, "frames.gaze: expected numbers within"),
    ],
)
def test_content_that_cannot_be_is_not_written(avatar, tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        write_avatar(tmp_path / "a.nerface", changed(avatar, **values))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"ends in \.nerface"):
        write_avatar(tmp_path / "a.ckpt", avatar)


def test_odd_keys_and_tensors_are_refused(avatar, tmp_path):
    write_avatar(tmp_path / "a.nerface", avatar)
    content = avatar_file.read_tensor_file(tmp_path / "a.nerface")
    more = dataclasses.replace(content, description={**content.description, "path": "/etc/passwd"})
    with pytest.raises(ValueError, match="odd one: 'path'"):
        avatar_file.parse_avatar("x", more)
    more = dataclasses.replace(content, tensors={**content.tensors, "frames.mesh": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"odd one: 'frames\.mesh'"):
        avatar_file.parse_avatar("x", more)
    with pytest.raises(ValueError, match=r"frames.times: expected .* of \(4, 1\), got .* of \(3, 1\)"):
        avatar_file.parse_avatar(
            "x", dataclasses.replace(content, tensors={**content.tensors, "frames.times": torch.zeros(3, 1)})
        )
    del more.tensors["frames.mesh"], more.tensors["frames.times"]
    with pytest.raises(ValueError, match=r"odd one: 'frames\.times'"):
        avatar_file.parse_avatar("x", more)


def with_state(avatar, name, tensor):
    return changed(avatar, state={**avatar.state, name: tensor})


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("latent_codes.codes", torch.zeros(5, 2), r"latent_codes.codes: expected \(4, 2\), got \(5, 2\)"),
        ("field.grid.table", torch.zeros(1, 4), "field.grid.table: expected"),
        ("field.aabb", torch.ones(2, 3), "field.aabb: expected .* as settings and scene box say"),
        ("occupancy.resolution", torch.full((3,), 10**6, dtype=torch.int32), "occupancy.resolution: expected"),
        ("occupancy.binaries", torch.ones(1, 9, 9, 9, dtype=torch.bool), "occupancy.binaries: expected"),
        ("occupancy.occs", torch.zeros(64, dtype=torch.int64), "occupancy.occs: expected"),
        ("more", torch.zeros(1), "odd one: 'more'"),
    ],
)
def test_state_that_does_not_fit_the_settings(avatar, name, tensor, message):
    with pytest.raises(ValueError, match=message):
        build_avatar("x", with_state(avatar, name, tensor))


def test_sizes_are_compared_before_anything_is_allocated(avatar):
    """A grid of 4096^3 cells would take a terabyte; the file has none of it."""
    config = avatar.model_config
    grid = dataclasses.replace(config.radiance_field.canonical_grid, resolutions=(4096, 4096))
    huge = dataclasses.replace(config, radiance_field=dataclasses.replace(config.radiance_field, canonical_grid=grid))
    with pytest.raises(ValueError, match=r"field\.grid\.table: expected"):
        build_avatar("x", changed(avatar, model_config=huge))
    cells = dataclasses.replace(config, occupancy=dataclasses.replace(config.occupancy, resolution=4096))
    with pytest.raises(ValueError, match=r"occupancy\.binaries: expected"):
        build_avatar("x", changed(avatar, model_config=cells))
    codes = dataclasses.replace(config, latent_codes=dataclasses.replace(config.latent_codes, length=4096))
    with pytest.raises(ValueError, match=r"latent_codes\.codes: expected"):
        build_avatar("x", changed(avatar, model_config=codes))


def test_a_bent_space_that_is_no_number_stays_in_the_tables(avatar):
    """Weights within all floats overflow to NaN positions, which compiled loops have to survive."""
    state = {name: tensor.clone() for name, tensor in avatar.state.items()}
    state["field.deformation.basis"].fill_(3e38)
    loaded = build_avatar("x", changed(avatar, state=state))
    assert len(pictures(loaded)) == 4
