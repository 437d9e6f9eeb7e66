import torch

from nerface_ns.field_components.shading import NUM_LIGHT_FEATURES, light_features, rotate_to_camera


def unit_vectors(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)


def test_features_of_one_normal():
    x, y, z = 0.6, 0.0, 0.8
    expected = [x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y, x**3, y**3, z**3, x * y * z]
    features = light_features(torch.tensor([[x, y, z]]))
    torch.testing.assert_close(features, torch.tensor([expected]))
    assert features.shape[1] == NUM_LIGHT_FEATURES


def test_every_quadratic_polynomial_of_the_normal_is_linear_in_them():
    """What Ramamoorthi and Hanrahan's nine coefficients span: n^T A n + b n + c with any A, b, c."""
    normals = unit_vectors(200).double()
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    slope = torch.randn(3, generator=generator, dtype=torch.float64)
    light = torch.einsum("ni,ij,nj->n", normals, matrix, normals) + normals @ slope + 0.3
    basis = torch.cat([light_features(normals), torch.ones(200, 1, dtype=torch.float64)], dim=-1)
    weights = torch.linalg.lstsq(basis, light[:, None], driver="gelsd").solution
    torch.testing.assert_close(basis @ weights, light[:, None])


def test_a_normal_towards_the_camera_points_along_its_z():
    """The camera's third column is its back, which is where it looks from."""
    rotation = torch.linalg.qr(torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))).Q
    seen = rotate_to_camera(rotation[:, :, 2], rotation)
    torch.testing.assert_close(seen, torch.tensor([[0.0, 0.0, 1.0]]).repeat(5, 1), atol=1e-6, rtol=0)


def test_rotation_matches_loop():
    rotation = torch.linalg.qr(torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))).Q
    normals = unit_vectors(5)
    expected = torch.stack([matrix.T @ normal for matrix, normal in zip(rotation, normals)])
    torch.testing.assert_close(rotate_to_camera(normals, rotation), expected)
