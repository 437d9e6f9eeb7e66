from pathlib import Path

import torch
from rich.console import Console
from toy_pipeline import ToyPipeline, checkpoint_of

from nerface_ns.engine.group_choice import GroupChoice
from nerface_ns.engine.loading_report import loading_table
from nerface_ns.engine.partial_loading import compare


def test_list_says_what_became_of_everything():
    """One row for each group and outcome: taken, skipped, missing, mismatched, and what the model does not have."""
    own, stored = ToyPipeline(seed=1), checkpoint_of(ToyPipeline(with_cameras=False, seed=2))
    stored["pipeline"]["_model.field.net.weight"] = torch.zeros(7, 2)
    stored["pipeline"]["_model.gaze"] = torch.zeros(1)
    choice = GroupChoice.parse(None, "latent_codes")
    partial = compare(Path("a.ckpt"), stored, own, own.get_param_groups(), choice)
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(loading_table(partial, {"grids": "moments of 9 steps", "networks": "fresh"}))
    rows = [tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in console.export_text().splitlines()]
    assert [row for row in rows if row] == [
        ("(as the data say)", "skipped", "1", "", "expression_encoding.mean"),
        ("(not in this model)", "skipped", "1", "", "gaze"),
        ("cameras", "missing", "2", "", "camera_optimizer.poses, camera_optimizer.tracked"),
        ("grids", "taken", "2", "moments of 9 steps", "field.grid.table, field.grid.offsets"),
        ("grids and networks", "taken", "4", "", "field.aabb, field.unused.weight, field.unused.bias, occupancy.occs"),
        ("latent_codes", "skipped", "1", "", "latent_codes.codes"),
        ("networks", "taken", "1", "fresh", "field.net.bias"),
        ("networks", "mismatched", "1", "fresh", "field.net.weight (7 x 2 there, 3 x 2 here)"),
    ]
