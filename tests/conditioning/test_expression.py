import pytest
import torch

from nerface_ns.conditioning.expression import ExpressionEncodingConfig

TRAIN = torch.tensor([[0.0, -1.0], [1.0, 3.0], [0.5, 1.0]])
"""Ranges 0..1 and -1..3, means 0.5 and 1."""


def test_numbers_outside_the_trained_range_stop_at_its_margin():
    encoding = ExpressionEncodingConfig(clamp_margin=0.25).setup(train_expression=TRAIN)
    clamped = encoding.clamp(torch.tensor([[-5.0, 9.0], [0.25, -1.5], [1.2, 3.99]]))
    torch.testing.assert_close(clamped, torch.tensor([[-0.25, 4.0], [0.25, -1.5], [1.2, 3.99]]))


def test_negative_margin_switches_the_clamp_off():
    encoding = ExpressionEncodingConfig(clamp_margin=-1.0).setup(train_expression=TRAIN)
    wild = torch.tensor([[-50.0, 90.0]])
    torch.testing.assert_close(encoding.clamp(wild), wild)


def test_training_frames_come_out_centred():
    encoding = ExpressionEncodingConfig().setup(train_expression=TRAIN)
    torch.testing.assert_close(encoding(TRAIN), torch.tensor([[-0.5, -2.0], [0.5, 2.0], [0.0, 0.0]]))


def test_nerface_reference_scales_without_centring():
    encoding = ExpressionEncodingConfig(centre=False, scale=1 / 3).setup(train_expression=TRAIN)
    torch.testing.assert_close(encoding(TRAIN), TRAIN / 3)


def test_ranges_live_in_the_checkpoint():
    config = ExpressionEncodingConfig()
    encoding, other = config.setup(train_expression=TRAIN), config.setup(train_expression=TRAIN * 7)
    other.load_state_dict(encoding.state_dict())
    expression = torch.tensor([[2.0, -4.0]])
    torch.testing.assert_close(other(expression), encoding(expression))


@pytest.mark.parametrize("num_frames", [0, 1, 5])
def test_any_number_of_frames(num_frames):
    encoding = ExpressionEncodingConfig().setup(train_expression=TRAIN)
    assert encoding(torch.zeros(num_frames, 2)).shape == (num_frames, 2)
