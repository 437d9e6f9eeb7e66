import json

import numpy as np
import pytest

from nerface_ns.tracks.live_link import ARKIT_NAMES
from nerface_ns.tracks.name_matching import (
    are_placeholders,
    canonical_name,
    match_matrix,
    match_names,
    placeholder_names,
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("mouthSmile_L", "mouthSmileLeft", "MouthSmile_Left", "mouth_smile_l", "MOUTH_SMILE_LEFT", "mouthSmile.L"),
            "mouthsmile_left",
        ),
        (("left_mouth_smile", "L_mouthSmile", "blendShape1.mouthSmile_L", "face:mouthSmileL"), "mouthsmile_left"),
        (("mouthsmileleft", "mouth smile left", "mouth-smile-l", "mouthLeftSmile"), "mouthsmile_left"),
        (("eyeBlinkRight", "EyeBlink_R", "eye_blink_right"), "eyeblink_right"),
        (("browInnerUp", "BrowInnerUp", "brow_inner_up", "BrowsU_C"), "browinnerup"),
        (("jawLeft", "JawLeft", "jaw_left"), "jaw_left"),
        (("jawOpen", "JAW_OPEN", "JawOpen"), "jawopen"),
        (("jawForward", "JawFwd"), "jawforward"),
        (("LipsFunnel", "mouthFunnel"), "mouthfunnel"),
        (("left",), "left"),
    ],
)
def test_spellings_of_one_meaning(names, expected):
    assert {canonical_name(name) for name in names} == {expected}


def test_all_of_arkit_stay_apart():
    assert len({canonical_name(name) for name in ARKIT_NAMES}) == 52


def test_match_by_meaning():
    driver = ("JawOpen", "mouthSmile_R", "tongueOut", "mouthSmile_L")
    target = ("mouthSmileLeft", "mouthSmileRight", "jaw_open", "cheekPuff")
    np.testing.assert_array_equal(match_names(driver, target), [3, 1, 0, -1])


def test_equal_spelling_goes_first():
    np.testing.assert_array_equal(match_names(("JawOpen", "jawOpen"), ("jawOpen", "JAW_OPEN")), [1, 0])


def test_one_for_both_sides():
    driver, target = ("browInnerUp",), ("browInnerUp_L", "browInnerUp_R", "browDown_L")
    np.testing.assert_array_equal(match_matrix(driver, target), [[1], [1], [0]])


def test_both_sides_for_one():
    driver, target = ("cheekPuff_R", "jawOpen", "cheekPuff_L"), ("cheekPuff", "jawOpen")
    np.testing.assert_array_equal(match_matrix(driver, target), [[0.5, 0, 0.5], [0, 1, 0]])
    np.testing.assert_array_equal(match_names(driver, target), [0, 1])


def test_a_single_side_is_not_both():
    np.testing.assert_array_equal(match_matrix(("cheekPuff_L",), ("cheekPuff",)), [[0]])


def test_nothing_to_match():
    np.testing.assert_array_equal(match_names((), ("a", "b")), [-1, -1])
    assert match_matrix(("a",), ()).shape == (0, 1)


def test_placeholders():
    assert placeholder_names(3) == ("expression_00", "expression_01", "expression_02")
    assert are_placeholders(placeholder_names(120)) and are_placeholders(())
    assert not are_placeholders(("expression_00", "jawOpen"))


def test_arkit_drives_ict_facekit(shared_data):
    """Of head_a's 57 coefficients those without a counterpart are pupils and cheek raisers."""
    content = json.loads((shared_data / "head_a" / "transforms_val.json").read_text())
    names = content["expression_names"]
    found = match_names(ARKIT_NAMES, names)
    missing = [name for name, column in zip(names, found) if column < 0]
    assert missing == ["PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R"]
    by_name = dict(zip(names, found))
    assert ARKIT_NAMES[by_name["browInnerUp_R"]] == "browInnerUp"
    assert ARKIT_NAMES[by_name["eyeLookIn_L"]] == "eyeLookInLeft"
