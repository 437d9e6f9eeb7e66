import torch
from blob_model import NUM_COEFFICIENTS, make_model, train_expression

from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.field_components.blended_tables import BlendedTablesConfig
from nerface_ns.fields.blendshape_field import BlendshapeFieldConfig
from nerface_ns.models.basis_occupancy import density_over_bases, extreme_expressions


def make_blendshape_model():
    """Without what depends on the head's pose, which the extremes get at random."""
    torch.manual_seed(0)
    tables = BlendedTablesConfig(num_levels=3, base_resolution=4, finest_resolution=16)
    field = BlendshapeFieldConfig(tables=tables, warp="none", density_bias=-2.0)
    model = make_model(radiance_field=field, expression=ExpressionEncodingConfig(clamp_margin=0.0))
    with torch.no_grad():
        model.field.tables.bases.normal_(std=3.0)
    return model


def test_each_coefficient_alone_at_its_greatest():
    high = train_expression().amax(dim=0)
    expected = torch.zeros(NUM_COEFFICIENTS + 1, NUM_COEFFICIENTS)
    for k in range(NUM_COEFFICIENTS):
        expected[k + 1, k] = high[k]
    torch.testing.assert_close(extreme_expressions(make_blendshape_model()), expected)


@torch.no_grad()
def test_density_is_the_greatest_of_all_extremes():
    model = make_blendshape_model()
    positions = torch.rand(50, 3) * 0.2 - 0.1
    rows, each = torch.zeros(50, dtype=torch.long), []
    for expression in extreme_expressions(model):
        condition = model.make_condition(model.train_camera_to_world[:1], expression=expression[None])
        each.append(model.field.get_density(positions, rows, model.field.prepare(condition))[0])
    greatest = torch.stack(each).amax(dim=0)
    torch.testing.assert_close(density_over_bases(model, positions), greatest)
    assert (greatest > each[0] * 1.5).any()
