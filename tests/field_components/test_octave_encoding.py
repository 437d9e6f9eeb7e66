import math

import pytest
import torch

from nerface_ns.field_components.octave_encoding import encode_octaves, octave_encoding_length


@pytest.mark.parametrize("include_input", [True, False])
def test_encoding_matches_loop(include_input):
    """The vector, then octave by octave the sines of x, y, z and their cosines."""
    vectors = torch.randn(3, 3, dtype=torch.float64)
    expected = []
    for vector in vectors.tolist():
        row = list(vector) if include_input else []
        for octave in range(4):
            row += [math.sin(2**octave * value) for value in vector]
            row += [math.cos(2**octave * value) for value in vector]
        expected.append(row)
    torch.testing.assert_close(encode_octaves(vectors, 4, include_input), torch.tensor(expected, dtype=torch.float64))


def test_lengths_are_those_of_the_release():
    """63 numbers for a position, 24 for a direction."""
    assert octave_encoding_length(10, include_input=True) == 63
    assert octave_encoding_length(4, include_input=False) == 24
    assert encode_octaves(torch.zeros(2, 3), 10, include_input=True).shape == (2, 63)
