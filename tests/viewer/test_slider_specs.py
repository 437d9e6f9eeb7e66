import numpy as np
import pytest

from nerface_ns.viewer.slider_specs import GROUPS, expression_group, shown_sliders, slider_label, slider_specs

NAMES = ("jawOpen", "mouthSmile_L", "eyebrow_raise", "constant", "leftEyelid")
TRAIN = np.array([[0.0, -1.0, 0.0, 0.5, 0.0], [1.0, 1.0, 0.02, 0.5, 10.0], [0.5, 0.0, 0.01, 0.5, 5.0]])


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("browInnerUp", "Brows"),
        ("eyebrow_raise", "Brows"),
        ("eyeBlink_L", "Eyes"),
        ("EyeLookDownLeft", "Eyes"),
        ("jawOpen", "Jaw"),
        ("mouthSmileLeft", "Mouth"),
        ("tongueOut", "Mouth"),
        ("cheekPuff", "Other"),
        ("expression_07", "Other"),
    ],
)
def test_groups(name, group):
    assert expression_group(name) == group and group in GROUPS


def test_ranges_reach_a_margin_beyond_training():
    specs = slider_specs(NAMES, TRAIN, 0.1)
    assert [(spec.name, spec.index) for spec in specs] == [
        ("jawOpen", 0),
        ("mouthSmile_L", 1),
        ("eyebrow_raise", 2),
        ("leftEyelid", 4),
    ]
    assert (specs[0].low, specs[0].high) == pytest.approx((-0.1, 1.1))
    assert (specs[1].low, specs[1].high) == pytest.approx((-1.2, 1.2))
    assert [spec.step for spec in specs] == pytest.approx([0.01, 0.01, 0.0001, 0.1])


def test_what_never_moves_has_no_slider():
    assert "constant" not in {spec.name for spec in slider_specs(NAMES, TRAIN, 0.1)}
    assert slider_specs(NAMES, TRAIN[:1], 0.1) == ()


def test_most_varying_first():
    specs = slider_specs(NAMES, TRAIN, 0.0)
    assert shown_sliders(specs, "", 1) == {4}
    assert shown_sliders(specs, "", 2) == {4, 1}
    assert shown_sliders(specs, " ", 99) == {0, 1, 2, 4}


def test_search_takes_parts_of_names():
    specs = slider_specs(NAMES, TRAIN, 0.0)
    assert shown_sliders(specs, "EYE", 1) == {2, 4}
    assert shown_sliders(specs, "jaw smile", 1) == {0, 1}
    assert shown_sliders(specs, "nothing", 1) == set()


def test_long_labels_may_break():
    assert slider_label("jawOpen") == "jawOpen"
    assert slider_label("mouthLowerDownLeft").split("\u200b") == ["mouth", "Lower", "Down", "Left"]
    assert slider_label("mouthLowerDown_L").split("\u200b") == ["mouth", "Lower", "Down_", "L"]
