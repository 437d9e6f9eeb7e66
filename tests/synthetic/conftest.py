"""One coarse head for all tests of the synthetic demo."""

import numpy as np
import pytest

from nerface_ns.synthetic.demo_motion import camera_pose
from nerface_ns.synthetic.expressions import EXPRESSION_NAMES, expression_index
from nerface_ns.synthetic.head_mesh import HeadMesh, make_head_mesh
from nerface_ns.synthetic.head_renderer import PinholeCamera
from nerface_ns.synthetic.head_skin import HeadSkin, make_head_skin


@pytest.fixture(scope="session")
def mesh() -> HeadMesh:
    """A head with half as many vertices a length as the default."""
    return make_head_mesh(density=0.5, texture_size=96)


@pytest.fixture(scope="session")
def skin() -> HeadSkin:
    """The skin of `mesh`."""
    return make_head_skin(density=0.5, texture_size=16)


@pytest.fixture(scope="session")
def express():
    """Build an expression vector from named coefficients."""

    def build(**coefficients: float) -> np.ndarray:
        expression = np.zeros(len(EXPRESSION_NAMES))
        for name, value in coefficients.items():
            expression[expression_index(name)] = value
        return expression

    return build


@pytest.fixture(scope="session")
def camera_at():
    """Build a camera of the demo's kind from angles in degrees."""

    def build(yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0, size: int = 64) -> PinholeCamera:
        pose = camera_pose(yaw_deg, pitch_deg, roll_deg, right=0.004, up=-0.003)
        return PinholeCamera(pose, 2.1 * size, (0.5 * size, 0.5 * size), size, size)

    return build
