from __future__ import annotations

import numpy as np
import pytest
from made_up_head import NUM_FRAMES, head_cameras, write_head

from nerface_ns.checking.dataset_check import cheap_errors
from nerface_ns.checking.expression_checks import check_expressions
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig


@pytest.fixture(scope="module")
def sequence_of(tmp_path_factory):
    """Makes a recording with given coefficients out of one that was written once."""
    root = write_head(tmp_path_factory.mktemp("head") / "subject")

    def make(expression: np.ndarray):
        sequence = NeRFaceDataParserConfig(data=root).setup().sequence
        for frames in sequence.splits.values():
            rows = [int(name[-4:]) for name in frames.frame_names]
            frames.expression = expression[rows].astype(np.float32)
        return sequence

    return make


def good() -> np.ndarray:
    return np.random.default_rng(2).uniform(0, 1, (NUM_FRAMES, 6))


def found(sequence) -> dict[str, tuple[str, str]]:
    return {
        finding.problem: (finding.status, finding.detail) for finding in check_expressions(sequence) if finding.problem
    }


def test_good_coefficients_pass(sequence_of):
    findings = check_expressions(sequence_of(good()))
    assert [finding.status for finding in findings] == ["ok"] * 7
    assert findings[0].figures == {"coefficients": 6, "alive": 6}


def test_dead_coefficients(sequence_of):
    expression = good()
    expression[:, 2] = 0.25
    status, detail = found(sequence_of(expression))["dead"]
    assert status == "warn" and "1 of 6 never move: expression_02" in detail


def test_all_dead_prevents_training(sequence_of):
    sequence = sequence_of(np.zeros((NUM_FRAMES, 6)))
    assert found(sequence) == {"dead": ("fail", "none of 6 coefficients moves in the training frames")}
    assert any("none of 6 coefficients moves" in line for line in cheap_errors(sequence))


def test_wild_scale(sequence_of):
    expression = good()
    expression[:, 1] *= 300
    status, detail = found(sequence_of(expression))["wild-scale"]
    assert status == "warn" and detail.startswith("expression_01:")


def test_one_outlier_is_wild_too(sequence_of):
    expression = good()
    expression[7, 3] = 1e4
    assert found(sequence_of(expression))["wild-scale"][1].startswith("expression_03:")


def test_saturated(sequence_of):
    expression = good()
    expression[:, 4] = np.minimum(expression[:, 4], 0.6)
    detail = found(sequence_of(expression))["saturated"][1]
    assert detail.startswith("expression_04:")


def test_coefficients_at_rest_are_no_problem(sequence_of):
    """Blendshapes stand at 0 for most of a recording."""
    assert "saturated" not in found(sequence_of(np.maximum(good() - 0.6, 0)))


def test_duplicates(sequence_of):
    expression = good()
    expression[:, 5] = 3 - 2 * expression[:, 0]
    assert "expression_00 = expression_05" in found(sequence_of(expression))["duplicated"][1]


def test_frozen(sequence_of):
    expression = good()
    expression[20:40] = expression[20]
    assert found(sequence_of(expression))["frozen"][0] == "warn"


def test_test_frames_beyond_the_training_range(sequence_of):
    expression = good()
    expression[50:, 0] += 2
    status, detail = found(sequence_of(expression))["range"]
    assert status == "warn" and detail.startswith("100% of the test frames")


def test_expression_that_the_pose_tells(sequence_of):
    expression = good()
    expression[:, 3] = head_cameras()[:, 0, 2]
    status, detail = found(sequence_of(expression))["entangled"]
    assert status == "warn" and "expression_03" in detail
