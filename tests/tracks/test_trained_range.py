import numpy as np
import pytest

from nerface_ns.tracks.trained_range import extrapolation, soft_clamp

LOW, HIGH = np.array([0.0, -2.0, 0.3]), np.array([1.0, 2.0, 0.3])
"""The third coefficient never moved."""


def grid(count: int = 2001) -> np.ndarray:
    return np.linspace(-9, 9, count)[:, None].repeat(3, axis=1)


def test_identity_inside():
    """Bit by bit."""
    random = np.random.default_rng(0)
    inside = random.uniform(LOW, HIGH, (500, 3))
    np.testing.assert_array_equal(soft_clamp(inside, LOW, HIGH, 0.1), inside)
    np.testing.assert_array_equal(soft_clamp(np.stack([LOW, HIGH]), LOW, HIGH, 0.1), [LOW, HIGH])


def test_beyond_follows_the_closed_form():
    """m tanh(d / m), with m a tenth of widths 1 and 4."""
    beyond = np.array([[1.05, 2.3, 0.3], [-0.2, -2.1, 0.3]])
    expected = [
        [1 + 0.1 * np.tanh(0.5), 2 + 0.4 * np.tanh(0.75), 0.3],
        [-0.1 * np.tanh(2.0), -2 - 0.4 * np.tanh(0.25), 0.3],
    ]
    np.testing.assert_allclose(soft_clamp(beyond, LOW, HIGH, 0.1), expected)


@pytest.mark.parametrize("margin", [0.0, 0.03, 0.1, 1.7])
def test_never_beyond_the_margin_and_never_falling(margin):
    clamped = soft_clamp(grid(), LOW, HIGH, margin)
    limit = margin * (HIGH - LOW)
    assert (clamped >= LOW - limit).all() and (clamped <= HIGH + limit).all()
    assert (np.diff(clamped, axis=0) >= 0).all()


def test_bounds_hold_for_the_largest_numbers():
    """By construction, rounding included."""
    random = np.random.default_rng(0)
    low = random.uniform(-1, 1, 1000)
    high = low + random.uniform(0, 2, 1000) * (random.random(1000) > 0.2)
    asked = random.choice([-1e6, 1e6, -1e-3, 1e-3, 0.7, -0.7], (200, 1000))
    clamped = soft_clamp(asked, low, high, 0.1)
    assert (clamped >= low - 0.1 * (high - low)).all() and (clamped <= high + 0.1 * (high - low)).all()


def test_no_kink_at_the_end_of_the_range():
    """The slope is 1 on both sides of the end."""
    step = 1e-6
    near = soft_clamp(np.array([[1 - step] * 3, [1.0] * 3, [1 + step] * 3]), LOW, HIGH, 0.1)[:, 0]
    np.testing.assert_allclose(np.diff(near) / step, 1.0, atol=1e-4)


def test_extrapolation_by_a_loop():
    asked = grid(37)
    found = extrapolation(asked, LOW, HIGH)
    usual = (1.0 + 4.0) / 2
    for frame in range(len(asked)):
        for column, width in enumerate((1.0, 4.0, usual)):
            value = asked[frame, column]
            outside = max(value - HIGH[column], LOW[column] - value, 0.0)
            assert found[frame, column] == pytest.approx(outside / width)


def test_extrapolation_where_nothing_moved():
    np.testing.assert_allclose(extrapolation(np.array([[0.5, 3.0]]), np.ones(2), np.ones(2)), [[0.5, 2.0]])
