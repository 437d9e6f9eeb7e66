import pytest

from nerface_ns.model_components.loss_weights import WeightSchedule
from nerface_ns.model_components.training_stages import (
    Stage,
    StagesConfig,
    check_groups,
    make_stages,
    parse_stage,
    stage_at,
)

GROUPS = ("networks", "grids", "latent_codes", "background")
LOSSES = ("matte", "silhouette", "photometric")


def made(*texts: str) -> list[Stage]:
    return make_stages(StagesConfig(list=texts), GROUPS, LOSSES)


def test_all_that_a_stage_says():
    stage = parse_stage("shape steps=200 train=grids,density lr.grids=0.5 weight.matte=0:1,100:0 weight.silhouette=0.1")
    assert (stage.name, stage.steps, stage.share) == ("shape", 200, None)
    assert stage.train == ("grids", "density") and stage.rates == {"grids": 0.5}
    assert stage.weights == {
        "matte": WeightSchedule(((0, 1.0), (100, 0.0))),
        "silhouette": WeightSchedule(((0, 0.1),)),
    }


def test_stages_by_steps():
    stages = made("a steps=3", "b steps=2", "c")
    assert [stage_at(stages, step, 0.99) for step in range(7)] == [0, 0, 0, 1, 1, 2, 2]


def test_stages_by_share():
    """Whatever the step is; the last one goes on after its end."""
    stages = made("a share=0.1", "b share=0.2", "c share=0.3")
    shares = [0.0, 0.0999, 0.1, 0.2999, 0.3, 0.5, 1.0]
    assert [stage_at(stages, 0, share) for share in shares] == [0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "stages.list: expected a stage that begins with its name, got ''"),
        ("share=0.1", "begins with its name"),
        ("a share", "stages.list 'a': expected KEY=VALUE, each key once, got 'share'"),
        ("a share=0.1 share=0.2", "each key once"),
        ("a share=0.1 steps=4", "expected share or steps, got both"),
        ("a share=1.5", r"share: expected a number in \(0, 1\], got '1.5'"),
        ("a steps=2.5", "steps: expected a number whole and above 0, got '2.5'"),
        ("a lr.grids=0", "lr.grids: expected a number above 0, got '0'"),
        ("a rate=1", "expected share, steps, train, lr.GROUP and weight.LOSS, got 'rate'"),
        ("a weight.matte=5:1,2:1", "stages.list 'a' matte: expected steps of at least 0 that grow"),
    ],
)
def test_bad_stages(text, message):
    with pytest.raises(ValueError, match=message):
        parse_stage(text)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "b"], "stages.list 'a': expected share or steps, which only the last may leave out"),
        (["a share=0.5", "b steps=10"], "expected shares in all stages or steps in all, got both"),
        (["a share=0.6", "b share=0.6"], r"expected shares of at most 1 in all, got \[0.6, 0.6\]"),
    ],
)
def test_bad_lists(texts, message):
    with pytest.raises(ValueError, match=message):
        made(*texts)


def test_preset_and_list():
    with pytest.raises(ValueError, match="expected one of them, got both"):
        make_stages(StagesConfig(preset="geometry-appearance-joint", list=("a",)), GROUPS, LOSSES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a train=grid", "stages.list 'a': train: expected parameter groups among background, colour, .* got 'grid'"),
        ("a lr.colour=0.5", "stages.list 'a': lr: expected parameter groups among background, grids, .* got 'colour'"),
        ("a train=", "stages.list 'a': train: expected at least one parameter group, got none"),
    ],
)
def test_unknown_groups(text, message):
    with pytest.raises(ValueError, match=message):
        check_groups(made(text), GROUPS)


@pytest.mark.parametrize("groups", [GROUPS, ("networks",)])
def test_preset_fits_every_model(groups):
    """Codes learn from the second stage on, shapes in the first and the last; only losses that there are."""
    stages = make_stages(StagesConfig(preset="geometry-appearance-joint"), groups, LOSSES[:1])
    check_groups(stages, groups)
    geometry, appearance, joint = stages
    assert geometry.train == tuple(name for name in groups if name != "latent_codes")
    assert set(geometry.weights) == {"matte"}
    assert "colour" in (appearance.train or ()) and "grids" not in (appearance.train or ())
    assert (joint.train, joint.share) == (None, None)
