import pytest
import torch

from nerface_ns.conditioning.latent_codes import LatentCodesConfig

TRAIN = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
ASKED = torch.tensor([[0.9, 0.2], [0.1, 1.4], [-3.0, -3.0]])


@pytest.fixture
def codes():
    module = LatentCodesConfig(length=4).setup(train_expression=TRAIN)
    with torch.no_grad():
        module.codes.copy_(torch.arange(12.0).reshape(3, 4))
    return module


def test_codes_start_at_zero():
    assert not LatentCodesConfig(length=4).setup(train_expression=TRAIN).codes.any()


def test_training_frames_get_their_own(codes):
    torch.testing.assert_close(codes(torch.tensor([2, 0, 2])), codes.codes[[2, 0, 2]])


def test_zero(codes):
    torch.testing.assert_close(codes.unseen(ASKED, "zero"), torch.zeros(3, 4))


def test_mean(codes):
    torch.testing.assert_close(codes.unseen(ASKED, "mean"), torch.tensor([[4.0, 5.0, 6.0, 7.0]]).repeat(3, 1))


def test_nearest_is_that_of_the_closest_training_expression(codes):
    distance = [[float((asked - train).norm()) for train in TRAIN] for asked in ASKED]
    expected = [row.index(min(row)) for row in distance]
    assert expected == [1, 2, 0]
    torch.testing.assert_close(codes.unseen(ASKED, "nearest"), codes.codes[expected])


def test_given_frame(codes):
    torch.testing.assert_close(codes.unseen(ASKED, "frame", frame=1), codes.codes[[1, 1, 1]])


@pytest.mark.parametrize("frame", [-1, 3])
def test_frame_that_does_not_exist(codes, frame):
    with pytest.raises(ValueError, match=rf"code_frame: expected a training frame in 0..2, got {frame}"):
        codes.unseen(ASKED, "frame", frame=frame)


def test_length_zero_trains_without_codes():
    codes = LatentCodesConfig(length=0).setup(train_expression=TRAIN)
    for protocol in ("zero", "mean", "nearest", "frame"):
        assert codes.unseen(ASKED, protocol).shape == (3, 0)
