"""The eliminated, banded system against the same equations written out whole."""

import numpy as np

from nerface_ns.tracking.pose_equations import PoseEquations

FRAMES, POINTS = 5, 4


def test_solution_matches_the_dense_system():
    random = np.random.default_rng(0)
    residual, weight = random.normal(size=(FRAMES, POINTS, 2)), random.uniform(0.5, 1, (FRAMES, POINTS))
    by_pose = random.normal(size=(FRAMES, POINTS, 2, 6))
    by_shape = random.normal(size=(FRAMES, POINTS, 2, 3))
    by_focal = random.normal(size=(FRAMES, POINTS, 2))
    ties, bend = random.uniform(1, 2, (FRAMES - 2, 6)), random.normal(size=(FRAMES - 2, 6))
    offset, cue, by_move = (
        random.normal(size=(POINTS, 3)),
        random.normal(size=(FRAMES, 3)),
        random.normal(size=(FRAMES, 3, 3)),
    )
    equations = PoseEquations.from_residuals(residual, weight, by_pose, by_shape, by_focal)
    equations.add_ties(ties, bend)
    equations.add_turn_cue(3.0, cue, by_move)
    equations.add_shape_prior(2.0, offset)
    equations.add_focal_prior(4.0, 0.3)
    poses, shape, focal, focal_sigma = equations.solve(0.0)

    size = 6 * FRAMES + 3 * POINTS + 1
    rows, targets = [], []

    def add(row: np.ndarray, target: float, factor: float) -> None:
        rows.append(np.sqrt(factor) * row)
        targets.append(np.sqrt(factor) * target)

    for frame in range(FRAMES):
        for point in range(POINTS):
            for axis in range(2):
                row = np.zeros(size)
                row[6 * frame : 6 * frame + 6] = by_pose[frame, point, axis]
                row[6 * FRAMES + 3 * point :][:3] = by_shape[frame, point, axis]
                row[-1] = by_focal[frame, point, axis]
                add(row, residual[frame, point, axis], weight[frame, point])
        for axis in range(3):
            row = np.zeros(size)
            row[6 * frame + axis] = 1
            row[6 * frame + 3 : 6 * frame + 6] = by_move[frame, axis]
            add(row, cue[frame, axis], 3.0)
    for frame in range(FRAMES - 2):
        for axis in range(6):
            row = np.zeros(size)
            row[6 * frame + axis], row[6 * frame + 6 + axis], row[6 * frame + 12 + axis] = 1, -2, 1
            add(row, -bend[frame, axis], ties[frame, axis])
    for index, value in enumerate(offset.reshape(-1)):
        row = np.zeros(size)
        row[6 * FRAMES + index] = 1
        add(row, value, 2.0)
    row = np.zeros(size)
    row[-1] = 1
    add(row, 0.3, 4.0)
    matrix = np.array(rows)
    expected = np.linalg.lstsq(matrix, np.array(targets), rcond=None)[0]
    np.testing.assert_allclose(poses.reshape(-1), expected[: 6 * FRAMES], atol=1e-9)
    np.testing.assert_allclose(shape.reshape(-1), expected[6 * FRAMES : -1], atol=1e-9)
    np.testing.assert_allclose(focal, expected[-1], atol=1e-9)
    np.testing.assert_allclose(focal_sigma, np.sqrt(np.linalg.inv(matrix.T @ matrix)[-1, -1]))
