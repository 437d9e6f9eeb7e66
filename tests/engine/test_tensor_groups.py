from toy_pipeline import ToyPipeline

from nerface_ns.engine.tensor_groups import tensor_groups


def test_every_kind_of_tensor_goes_where_it_belongs():
    """Parameters with their group, buffers with the smallest module around them that trains, the rest with the data."""
    pipeline = ToyPipeline()
    field = ("grids", "networks")
    assert tensor_groups(pipeline, pipeline.get_param_groups()) == {
        "_model.device_indicator_param": (),
        "_model.field.aabb": field,
        "_model.field.net.weight": ("networks",),
        "_model.field.net.bias": ("networks",),
        "_model.field.grid.table": ("grids",),
        "_model.field.grid.offsets": ("grids",),
        "_model.field.unused.weight": field,
        "_model.field.unused.bias": field,
        "_model.occupancy.occs": field,
        "_model.latent_codes.codes": ("latent_codes",),
        "_model.expression_encoding.mean": (),
        "_model.camera_optimizer.poses": ("cameras",),
        "_model.camera_optimizer.tracked": ("cameras",),
    }


def test_occupancy_goes_with_a_field_that_trains_one_group():
    pipeline = ToyPipeline()
    groups = pipeline.get_param_groups()
    del groups["grids"]
    assert tensor_groups(pipeline, groups)["_model.occupancy.occs"] == ("networks",)
