"""One switch decides what nothing else decides, and each difference can be had by itself."""

import pytest

from nerface_ns.models.paper_fidelity import FidelityChoices, fidelity_choices

UNDECIDED = {
    "direction_input": "fidelity",
    "jitter_in_evaluation": None,
    "code_protocol": "fidelity",
    "freeze_codes_on_resume": None,
}
PUBLISHED = FidelityChoices("view_direction", False, "zero", False, None)
RELEASED = FidelityChoices("last_columns", True, "frame", True, (0.2, 0.8))


def test_the_switch_decides_everything():
    assert fidelity_choices("published", **UNDECIDED) == PUBLISHED
    assert fidelity_choices("released", **UNDECIDED) == RELEASED


@pytest.mark.parametrize("name", UNDECIDED)
@pytest.mark.parametrize(
    ("fidelity", "base", "other"), [("published", PUBLISHED, RELEASED), ("released", RELEASED, PUBLISHED)]
)
def test_a_field_of_its_own_goes_before_the_switch(name, fidelity, base, other):
    """Either value of each field, under either fidelity; the others stay the fidelity's."""
    for source in (base, other):
        found = fidelity_choices(fidelity, **{**UNDECIDED, name: getattr(source, name)})
        assert getattr(found, name) == getattr(source, name)
        rest = [field for field in UNDECIDED if field != name]
        assert [getattr(found, field) for field in rest] == [getattr(base, field) for field in rest]


@pytest.mark.parametrize("protocol", ["mean", "nearest"])
def test_protocols_of_neither_fidelity(protocol):
    assert fidelity_choices("released", **{**UNDECIDED, "code_protocol": protocol}).code_protocol == protocol
