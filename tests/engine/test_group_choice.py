import pytest

from nerface_ns.engine.group_choice import GroupChoice


def test_neither_option_is_no_choice():
    assert GroupChoice.parse(None, None) is None


def test_names_stand_between_commas():
    assert GroupChoice.parse("cameras, latent_codes,", None) == GroupChoice("--load-only", ("cameras", "latent_codes"))


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        (("cameras,grids", None), {("cameras",): True, ("networks",): False, ("grids", "networks"): False, (): False}),
        ((None, "cameras,grids"), {("cameras",): False, ("networks",): True, ("grids", "networks"): False, (): False}),
    ],
)
def test_what_goes_with_several_groups_is_taken_with_all_of_them(options, takes):
    choice = GroupChoice.parse(*options)
    assert {groups: choice.takes(groups) for groups in takes} == takes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("cameras", "grids"), "--load-only cameras and --load-ignore grids: expected one of them, got both"),
        ((" ,", None), "--load-only ' ,': expected names of parameter groups"),
        ((None, ""), "--load-ignore '': expected names of parameter groups"),
    ],
)
def test_options_that_say_nothing_or_too_much(options, message):
    with pytest.raises(ValueError, match=message):
        GroupChoice.parse(*options)


def test_unknown_name():
    """The message has what was given, what is known, and what is not."""
    choice = GroupChoice("--load-only", ("cameras", "latent_code"))
    message = "--load-only cameras,latent_code: expected parameter groups among cameras, latent_codes, got latent_code"
    with pytest.raises(ValueError, match=message):
        choice.check("a.ckpt", ["latent_codes", "cameras"], ["latent_codes", "cameras"])


def test_group_that_the_checkpoint_lacks():
    choice = GroupChoice("--load-only", ("cameras",))
    with pytest.raises(ValueError, match=r"a.ckpt: expected the parameter groups cameras as --load-only asks for, g"):
        choice.check("a.ckpt", ["grids", "cameras"], ["grids"])


def test_group_of_the_checkpoint_alone_may_be_ignored():
    """A checkpoint with cameras starts a model without."""
    GroupChoice("--load-ignore", ("cameras",)).check("a.ckpt", ["grids"], ["grids", "cameras"])
