"""Bust and shirt of the torso benchmark's head, on meshes small enough to be followed by hand."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

DISC = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])
"""Four triangles about vertex 0."""


@pytest.fixture
def bust(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("torso_bust")


def test_open_edge_runs_around_the_hole(bust):
    assert bust.open_edge(DISC).tolist() == [1, 2, 3, 4]


def test_a_closed_mesh_has_no_edge(bust):
    with pytest.raises(ValueError, match="closed"):
        bust.open_edge(np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]))


def test_two_holes_are_refused(bust):
    with pytest.raises(ValueError, match="one hole"):
        bust.open_edge(np.concatenate([DISC, DISC + 5]))


def test_bust_starts_at_the_edge_and_ends_at_the_hem(bust):
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([0.12 * np.sin(turns), np.full(12, -0.15), -0.03 + 0.07 * np.cos(turns)], axis=-1)
    points = np.concatenate([[[0.0, -0.05, -0.03]], ring])
    edge = np.arange(1, 13)
    triangles = np.stack([np.zeros(12, int), edge, np.roll(edge, -1)], axis=-1)
    grid = bust.bust_grid(points, triangles, edge)
    np.testing.assert_allclose(grid[0, :-1], ring, atol=1e-12)
    np.testing.assert_array_equal(grid[:, 0], grid[:, -1])
    np.testing.assert_allclose(
        grid[-1, [0, 3, 6]], [[0, -0.42, 0.1], [0.232, -0.4, -0.03], [0, -0.4, -0.14]], atol=1e-9
    )


def test_texel_places_are_the_map_from_texture_to_surface(bust):
    texels = np.array([[2.0, 2], [8, 2], [8, 8], [2, 8]])
    places = np.stack([0.1 * texels[:, 0], texels[:, 1] - 3, texels.sum(axis=1)], axis=-1)
    result = bust.texel_places(places, np.array([[0, 1, 2], [0, 2, 3]]), texels, (11, 11))
    row, column = np.mgrid[0:11, 0:11].clip(2, 8)  # outside: the nearest inside
    expected = np.stack([0.1 * column, row - 3, column + row], axis=-1)
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_shirt_covers_what_is_below_the_neck(bust):
    skin = np.full((2, 1, 4), 0.5)
    places = np.array([[[0.0, -0.10, 0.03]], [[0.0, -0.30, 0.09]]])
    painted = bust.paint_shirt(skin, places)
    np.testing.assert_array_equal(painted[0], skin[0])
    assert painted[1, 0, 3] == 0
    assert np.abs(painted[1, 0, :3] - 0.5).max() > 0.1
