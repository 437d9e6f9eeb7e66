import pytest
import torch
from blob_model import make_model, train_expression

from nerface_ns.rendering.latent_code_choice import LatentCodeChoice


@pytest.mark.parametrize(("text", "expected"), [("zero", 0.0), ("mean", 0.35), ("nearest", 0.5), ("frame:1", 0.2)])
def test_codes_of_each_rule(text, expected):
    """The ball's codes are 0.1, 0.2 and so on; the expression asked for is close to that of frame 4."""
    codes = LatentCodeChoice.parse(text).codes(make_model(), train_expression()[4:5] + 1e-4)
    torch.testing.assert_close(codes, torch.full_like(codes, expected))


@pytest.mark.parametrize("text", ["", "frame", "frame:", "frame:-1", "frame:x", "zero:1", "Zero"])
def test_other_words_are_refused(text):
    """The error lists the rules."""
    with pytest.raises(ValueError, match=rf"--code {text}: expected zero, mean, nearest or frame:N"):
        LatentCodeChoice.parse(text)


def test_frame_that_does_not_exist():
    """The error names option and range."""
    with pytest.raises(ValueError, match=r"--code frame:6: .*0..5, got 6"):
        LatentCodeChoice.parse("frame:6").codes(make_model(), train_expression()[:1])
