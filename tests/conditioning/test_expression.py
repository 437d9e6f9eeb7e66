import numpy as np
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


@pytest.fixture
def recorded() -> torch.Tensor:
    """300 frames of three coefficients, the first two nearly the same, the third hardly moving."""
    generator = torch.Generator().manual_seed(4)
    shared, own = torch.randn(300, 1, generator=generator), torch.randn(300, 3, generator=generator)
    return torch.cat([shared, shared, shared * 0], dim=1) + own * torch.tensor([0.1, 0.1, 0.01]) + 2.0


def mahalanobis(offset: torch.Tensor, recorded: torch.Tensor, floor: float) -> torch.Tensor:
    """Length of deviations by the definition, through a matrix inverse."""
    covariance = torch.from_numpy(np.cov(recorded.double().numpy().T, ddof=0))
    inverse = torch.linalg.inv(covariance + floor * covariance.trace() / 3 * torch.eye(3))
    return torch.einsum("ni,ij,nj->n", offset.double(), inverse, offset.double()).sqrt()


@pytest.mark.parametrize("floor", [0.1, 1.0])
def test_unseen_combinations_are_shortened_to_the_longest_recorded_one(recorded, floor):
    config = ExpressionEncodingConfig(length_limit=0.8, length_floor=floor, clamp_margin=-1.0)
    encoding = config.setup(train_expression=recorded)
    mean = recorded.mean(dim=0)
    limit = 0.8 * mahalanobis(recorded - mean, recorded, floor).max()
    against = torch.tensor([[2.0, -2.0, 0.0], [40.0, 40.0, 0.0], [0.3, 0.3, 0.0]])
    lengths = mahalanobis(against, recorded, floor)
    expected = against * (limit / lengths).clamp(max=1.0)[:, None]
    assert lengths[0] > limit and lengths[1] > limit and lengths[2] < limit
    torch.testing.assert_close(encoding(mean + against), expected.float(), rtol=1e-4, atol=1e-5)


def test_recorded_frames_keep_their_length_at_a_limit_of_one(recorded):
    encoding = ExpressionEncodingConfig(length_limit=1.0, clamp_margin=0.0).setup(train_expression=recorded)
    torch.testing.assert_close(encoding(recorded), recorded - recorded.mean(dim=0))


def test_frames_that_never_change_set_a_limit_without_dividing_by_zero():
    encoding = ExpressionEncodingConfig(length_limit=1.0).setup(train_expression=torch.ones(4, 2))
    torch.testing.assert_close(encoding(torch.tensor([[1.0, 1.0], [5.0, 1.0]])), torch.zeros(2, 2))


def test_noise_has_the_share_asked_for_and_is_for_training_only(recorded):
    torch.manual_seed(0)
    encoding = ExpressionEncodingConfig(noise=0.5, clamp_margin=-1.0).setup(train_expression=recorded)
    frames = recorded[:1].expand(4000, 3)
    quiet = recorded[:1] - recorded.mean(dim=0)
    spread = (encoding.train()(frames) - quiet).std(dim=0) / recorded.std(dim=0, correction=0)
    torch.testing.assert_close(spread, torch.full((3,), 0.5), rtol=0.06, atol=0)
    torch.testing.assert_close(encoding.eval()(frames[:1]), quiet)


@pytest.mark.parametrize("changes", [{"noise": -0.1}, {"length_limit": -1.0}, {"length_floor": 0.0}])
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match="expected noise, length_limit >= 0 and length_floor > 0"):
        ExpressionEncodingConfig(**changes).setup(train_expression=TRAIN)
