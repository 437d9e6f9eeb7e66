from pathlib import Path

import pytest
import torch
from toy_pipeline import ToyPipeline

from nerface_ns.engine.more_frames import frame_rows, with_more_frames

SOURCE = Path("step-000000007.ckpt")
BEFORE, NOW = ["b", "a", "d"], ["a", "b", "c", "d", "e"]


def test_rows_go_with_names():
    assert frame_rows(SOURCE, BEFORE, NOW) == [1, 0, -1, 2, -1]


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (
            ["a", "x", "y"],
            NOW,
            "expected all 3 frames of the checkpoint among the 5 .* got none named x, nor 1 others",
        ),
        (None, NOW, "expected the names of the frames in the checkpoint and in the data, got none"),
    ],
)
def test_codes_do_not_change_hands(before, now, message):
    with pytest.raises(ValueError, match=f"{SOURCE}: --load-more-frames: {message}"):
        frame_rows(SOURCE, before, now)


def test_tables_follow_their_frames():
    """Codes, cameras and moments move with the names, new rows are the untrained model's; all else stays."""
    old, new = ToyPipeline(num_frames=3, seed=1), ToyPipeline(num_frames=5, seed=2)
    groups = new.get_param_groups()
    shapes = {name: [p.shape for p in parameters] for name, parameters in old.get_param_groups().items()}
    moments = {
        name: {"state": {row: {"step": torch.tensor(7.0), "exp_avg": torch.rand(s)} for row, s in enumerate(sizes)}}
        for name, sizes in shapes.items()
    }
    stored = {"step": 7, "pipeline": old.state_dict(), "optimizers": moments, "face_state": {"gradients": {"x": []}}}
    rows = frame_rows(SOURCE, BEFORE, NOW)
    grown = with_more_frames(stored, rows, new, groups)
    fresh = new.state_dict()
    for name, before in old.state_dict().items():
        found = grown["pipeline"][name]
        if name in ("_model.latent_codes.codes", "_model.camera_optimizer.poses", "_model.camera_optimizer.tracked"):
            expected = torch.stack([before[row] if row >= 0 else fresh[name][place] for place, row in enumerate(rows)])
        else:
            expected = before
        torch.testing.assert_close(found, expected, msg=name, rtol=0, atol=0)
    codes = moments["latent_codes"]["state"][0]["exp_avg"]
    found = grown["optimizers"]["latent_codes"]["state"][0]
    expected = torch.stack([codes[row] if row >= 0 else torch.zeros(2) for row in rows])
    torch.testing.assert_close(found["exp_avg"], expected)
    assert float(found["step"]) == 7.0
    assert grown["optimizers"]["grids"] == moments["grids"] and grown["face_state"]["gradients"] == {}
