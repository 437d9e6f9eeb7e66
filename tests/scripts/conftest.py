import sys
from pathlib import Path
from typing import Any

import pytest
from small_runs import small_run, write_head

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import write_track

# Made-up datasets and models of the rooms below.
sys.path[:0] = [
    str(Path(__file__).parents[1] / folder) for folder in ("checking", "data", "data/dataparsers", "models")
]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config.yml of a run on six training and four test frames, which no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        data = write_head(tmp_path_factory.mktemp("head"), num_test=4)
        return small_run(data, tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="module")
def pipeline(run: Path) -> Any:
    """The run, loaded."""
    return load_run(run)[1]


@pytest.fixture(scope="module")
def split_track(pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split as a track file, with poses and pictures."""
    outputs = pipeline.datamanager.eval_dataset._dataparser_outputs
    cameras = outputs.cameras
    track = ExpressionTrack(
        10.0,
        outputs.metadata["expression_names"],
        cameras.metadata["expression"].double().numpy(),
        camera_to_world=cameras.camera_to_worlds.double().numpy(),
        frame_files=tuple(outputs.image_filenames),
        source="test split",
    )
    path = tmp_path_factory.mktemp("tracks") / "test.json"
    write_track(path, track)
    return path
