import numpy as np
import pytest

from nerface_ns.tracking.face_choice import choose_faces, find_cuts, find_jumps


def box(x: float, y: float, size: float) -> list[float]:
    return [float(x), float(y), float(x + size), float(y + size)]


def test_largest_face_is_chosen_and_kept():
    """Of two faces of like size the one taken before stays; a much larger one wins."""
    boxes = np.array([box(0, 0, 10), box(50, 0, 8), box(0, 0, 10), box(50, 0, 11), box(0, 0, 10), box(50, 0, 20)])
    chosen = choose_faces(np.array([0, 0, 1, 1, 3, 3]), boxes, "largest")
    assert chosen.frames.tolist() == [0, 1, 3]
    assert chosen.faces.tolist() == [0, 2, 5]
    assert chosen.num_several == 3


def test_several_faces_are_refused_on_request():
    boxes = np.array([box(0, 0, 10), box(0, 0, 10), box(50, 0, 8)])
    with pytest.raises(ValueError, match="frame 1: expected one face, got 2"):
        choose_faces(np.array([0, 1, 1]), boxes, "error")


def test_face_found_twice_is_one():
    boxes = np.array([box(0, 0, 10), box(1, 0, 10)])
    assert choose_faces(np.array([0, 0]), boxes, "error").num_several == 0


def test_lone_jump_is_found_and_a_cut_is_not_one():
    places = [0, 1, 2, 30, 4, 5, 6, 7]
    boxes = np.array([box(x, 0, 10) for x in places])
    assert np.flatnonzero(find_jumps(boxes)).tolist() == [3]
    cut = np.array([box(x, 0, 10) for x in (0, 0, 0, 30, 30, 30)])
    assert not find_jumps(cut).any()
    assert find_cuts(cut) == [3]


def test_jump_in_size_is_found():
    boxes = np.array([box(0, 0, size) for size in (10, 10, 25, 10, 10)])
    assert np.flatnonzero(find_jumps(boxes)).tolist() == [2]
