import inspect

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from nerface_ns.model_components.rotation_forms import (
    ROTATION_LENGTHS,
    rotation_matrices,
    rotation_vectors,
)

FORMS = tuple(ROTATION_LENGTHS)


def random_numbers(form: str, count: int = 50, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, ROTATION_LENGTHS[form], generator=generator, dtype=torch.float64) * scale


def test_axis_angle_is_scipys():
    vectors = random_numbers("axis_angle")
    expected = Rotation.from_rotvec(vectors.numpy()).as_matrix()
    torch.testing.assert_close(rotation_matrices(vectors, "axis_angle"), torch.from_numpy(expected))


def test_quaternion_is_scipys():
    numbers = random_numbers("quaternion")
    quaternion = np.concatenate([numbers[:, :3].numpy() / 2, 1 + numbers[:, 3:].numpy()], axis=1)
    expected = Rotation.from_quat(quaternion).as_matrix()
    torch.testing.assert_close(rotation_matrices(numbers, "quaternion"), torch.from_numpy(expected))


def test_two_columns_are_orthonormalised_as_by_qr():
    numbers = random_numbers("rotation_6d")
    columns = numbers.reshape(-1, 2, 3).transpose(1, 2) + torch.eye(3, dtype=torch.float64)[:, :2]
    orthonormal, triangle = torch.linalg.qr(columns)
    expected = orthonormal * triangle.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    made = rotation_matrices(numbers, "rotation_6d")
    torch.testing.assert_close(made[:, :, :2], expected)
    torch.testing.assert_close(torch.linalg.det(made), torch.ones(len(made), dtype=torch.float64))


@pytest.mark.parametrize("form", FORMS)
def test_zero_is_the_identity_and_its_derivatives_are_finite(form):
    numbers = torch.zeros(3, ROTATION_LENGTHS[form], requires_grad=True)
    made = rotation_matrices(numbers, form)
    assert torch.equal(made, torch.eye(3).expand(3, 3, 3))
    made.square().sum().backward()
    rotation_matrices(numbers, form)[:, 0, 1].sum().backward()
    assert torch.isfinite(numbers.grad).all() and numbers.grad.abs().sum() > 0


@pytest.mark.parametrize("form", FORMS)
def test_forms_turn_alike_near_zero(form):
    """One thousandth in each of the form's ways to turn about an axis turns by 1 to 2 thousandths of a radian."""
    for column in range(ROTATION_LENGTHS[form]):
        numbers = torch.zeros(1, ROTATION_LENGTHS[form], dtype=torch.float64)
        numbers[0, column] = 1e-3
        angle = float(rotation_vectors(rotation_matrices(numbers, form)).norm())
        assert angle == pytest.approx(0, abs=1e-12) or angle == pytest.approx(1e-3, rel=1e-5)


def test_vectors_of_small_rotations_are_scipys():
    vectors = random_numbers("axis_angle", scale=1e-2)
    turned = rotation_matrices(vectors, "axis_angle")
    torch.testing.assert_close(rotation_vectors(turned), vectors, rtol=1e-3, atol=1e-6)


def test_unknown_form():
    with pytest.raises(ValueError, match=r"rotation: expected one of .*, got 'euler'"):
        inspect.unwrap(rotation_matrices)(torch.zeros(1, 3), "euler")
