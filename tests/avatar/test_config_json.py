import copy
import dataclasses
import json

import pytest

from nerface_ns.avatar.config_json import KINDS, config_from_json, config_to_json, stored_fields
from nerface_ns.configs import method_configs
from nerface_ns.model_components.training_stages import StagesConfig
from nerface_ns.models.occ_face_model import OccFaceModelConfig

METHODS = [name for name, value in vars(method_configs).items() if type(value).__name__ == "MethodSpecification"]


def grid_json():
    return config_to_json(method_configs.nerface.config.pipeline.model)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_survives_json(method):
    """What comes back is equal but for fields that no model reads."""
    config = getattr(method_configs, method).config.pipeline.model
    content = json.loads(json.dumps(config_to_json(config), allow_nan=False))
    back = config_from_json("model", content)
    assert type(back) is type(config)
    assert config_to_json(back) == config_to_json(config)
    for name in stored_fields(type(config)):
        assert getattr(back, name) == getattr(config, name)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_defaults_are_within_the_limits(kind):
    """A field added to a class of settings is stored without further ado, and its default is one that is read."""
    config = kind()
    if "radiance_field" in stored_fields(kind) or "coarse_field" in stored_fields(kind):
        pytest.skip("the default field is an abstract one; the methods' settings are tested above")
    assert config_from_json("x", config_to_json(config), (kind,)) == config


def test_settings_of_before_get_defaults():
    config = copy.deepcopy(method_configs.nerface.config.pipeline.model)
    del config.__dict__["camera_refinement"]
    assert config_from_json("model", config_to_json(config)).camera_refinement.enabled is False


def test_what_only_training_knows_stays_out():
    """Avatars of before there were stages can be read, and those of staged runs tell nothing of it."""
    config = copy.deepcopy(method_configs.nerface.config.pipeline.model)
    content = config_to_json(config)
    config.stages = StagesConfig(list=("shape share=0.3", "all"), weights=("matte=0:1,9:0",))
    config.surface_losses.silhouette_weight = 0.5
    assert config_to_json(config) == content and not {"stages", "surface_losses"} & content.keys()


def test_a_plug_ins_settings_are_refused():
    @dataclasses.dataclass
    class Other(OccFaceModelConfig):
        pass

    with pytest.raises(ValueError, match=r"expected settings of this package.* got Other"):
        config_to_json(Other())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(kind="os.system"), "model: expected kind"),
        (lambda c: c.update(kind="background"), "model: expected kind"),
        (lambda c: c.update(kind=["occ-face-model"]), "model: expected kind"),
        (lambda c: c.update(_target="os.system"), "one too many or few: '_target'"),
        (lambda c: c.pop("huber_delta"), "huber_delta"),
        (lambda c: c.update(huber_delta="0.1"), "model.huber_delta: expected float"),
        (lambda c: c.update(huber_delta=10**400), "model.huber_delta: expected float"),
        (lambda c: c.update(intervals_across_box=10**9), "intervals_across_box: expected int in 0..4096"),
        (lambda c: c.update(intervals_across_box=-1), "intervals_across_box"),
        (lambda c: c.update(intervals_across_box=True), "intervals_across_box"),
        (lambda c: c.update(code_protocol="best"), "code_protocol: expected one of"),
        (lambda c: c["background"].update(colour=[1.0, 1.0]), "colour: expected a list of 3"),
        (lambda c: c["radiance_field"]["canonical_grid"].update(resolutions=[]), "resolutions: expected a list"),
        (lambda c: c["radiance_field"]["canonical_grid"].update(resolutions=[2] * 65), "resolutions: expected a list"),
        (
            lambda c: c["radiance_field"]["deformation"].update(kind="latent-codes"),
            "deformation: expected kind bilinear",
        ),
        (lambda c: c.update(radiance_field=None), "radiance_field: expected kind"),
    ],
)
def test_what_is_refused(edit, message):
    content = grid_json()
    edit(content)
    with pytest.raises(ValueError, match=message):
        config_from_json("model", content)
