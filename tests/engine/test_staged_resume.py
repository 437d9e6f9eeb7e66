"""A training in stages that was stopped goes on to the last bit, from before, at and after a change of stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_resume import LAST, assert_resume_is_exact, checkpoint, tiny_config
from tiny_training import made_trainer

from nerface_ns.data.face_pixel_sampler import FacePixelSamplerConfig
from nerface_ns.model_components.training_stages import StagesConfig

STAGES = (
    "shape steps={0} train=density lr.grids=0.5 weight.matte=0:0.5,6:0",
    "looks steps=2 train=colour,latent_codes weight.region.mouth=2",
    "all",
)


@pytest.mark.parametrize("change", [1, 3, 4])
def test_resume_is_exact_in_any_stage(head, tmp_path, change):
    """The checkpoint is of step 3: in the last of three stages, in the second, and at the end of the first."""

    def make_config(folder: Path, **load: Any) -> Any:
        config = tiny_config(head, folder, **load)
        texts = (STAGES[0].format(change), *STAGES[1:])
        config.pipeline.model.stages = StagesConfig(list=texts, weights=("entropy=0:0,7:0.01",))
        config.pipeline.datamanager.pixel_sampler = FacePixelSamplerConfig(region_shares=(("eyes", 0.2), ("head", 0.2)))
        config.gradient_accumulation_steps = {"latent_codes": 3, "grids": 2}
        return config

    assert_resume_is_exact(make_config, tmp_path)


def names_in(file: Path) -> list[str]:
    return [Path(frame["file_path"]).name for frame in json.loads(file.read_text())["frames"]]


def test_added_frames_by_a_split_file(longer_head, tmp_path, capsys):
    """Four frames are trained, then a split file names two more: --load-more-frames keeps the four's codes."""
    names = [
        Path(frame["file_path"]).name
        for frame in json.loads((longer_head / "transforms_train.json").read_text())["frames"]
    ]
    held_out = [
        Path(frame["file_path"]).name
        for frame in json.loads((longer_head / "transforms_test.json").read_text())["frames"]
    ]

    def config_of(train: list[str], folder: str, **load: Any) -> Any:
        file = tmp_path / f"{folder}.json"
        file.write_text(json.dumps({"train": train, "val": held_out}))
        config = tiny_config(longer_head, tmp_path / folder, **load)
        config.pipeline.datamanager.dataparser.split_file = file
        return config

    trained = made_trainer(config_of(names[1:5], "few"), LAST + 1).checkpoint_dir
    again = config_of(names, "more", load_dir=trained, load_more_frames=True)
    trainer = made_trainer(again)
    assert "2 of 6 training frames are new" in capsys.readouterr().out
    codes = trainer.pipeline.model.latent_codes.codes.detach()
    before = checkpoint(trained, LAST)["pipeline"]["_model.latent_codes.codes"]
    assert (codes[1:5] == before).all() and before.abs().max() > 0
    assert (codes[[0, 5]] == 0).all()
