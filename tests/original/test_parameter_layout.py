import torch
from released_code import assert_same

from nerface_ns.original.parameter_layout import OriginalImage, OriginalParameter, Part

LAYER = OriginalParameter(
    "layer.weight",
    (2, 5),
    (
        Part("features", torch.tensor([0, 4, 3]), torch.tensor([True, False, True])),
        Part("condition", torch.tensor([1, 2])),
    ),
)


def test_columns_move_and_odd_ones_change_their_sign():
    values = torch.arange(10.0).reshape(2, 5)
    parts = LAYER.split(values)
    torch.testing.assert_close(parts["features"], torch.tensor([[-0.0, 4, -3], [-5, 9, -8]]))
    torch.testing.assert_close(parts["condition"], torch.tensor([[1.0, 2], [6, 7]]))


def test_squares_keep_their_sign():
    parts = LAYER.split(torch.arange(10.0).reshape(2, 5), is_square=True)
    torch.testing.assert_close(parts["features"], torch.tensor([[0.0, 4, 3], [5, 9, 8]]))


def test_split_and_join_are_inverse_to_the_bit():
    """Also for zeros with a sign and for what is no number."""
    values = torch.randn(2, 5)
    values[0] = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf])
    for is_square in (False, True):
        assert_same(LAYER.join(LAYER.split(values, is_square), is_square), values)


def test_image_changes_its_axes():
    image = OriginalImage("background", (4, 6, 3), (Part("background.image"),))
    values = torch.rand(4, 6, 3)
    parts = image.split(values)
    assert parts["background.image"].shape == (1, 3, 4, 6)
    assert parts["background.image"][0, 2, 1, 5] == values[1, 5, 2]
    assert_same(image.join(parts), values)


def test_denormals_survive_while_the_processor_flushes_them():
    """The models let the CPU treat them as zero; Adam's squares of small gradients are such numbers."""
    layer = OriginalParameter(LAYER.name, (64, 5), LAYER.parts)
    values = torch.randint(1, 1 << 22, (64, 5), dtype=torch.int32).view(torch.float32)
    was_supported = torch.set_flush_denormal(True)
    try:
        back = [layer.join(layer.split(values, is_square), is_square) for is_square in (False, True)]
    finally:
        torch.set_flush_denormal(False)
    assert was_supported and (values > 0).all() and (values < torch.finfo(torch.float32).tiny).all()
    for again in back:
        assert_same(again, values)
