import importlib
from pathlib import Path

import pytest

from nerface_ns.evaluation.training_config import parse_method_config, training_config
from nerface_ns.model_components.training_stages import StagesConfig


def test_method_trains_without_viewer_log_or_evaluation(tmp_path):
    """Only the event file is written, and nothing is rendered during training."""
    config = training_config("nerface", tmp_path, seed=7)
    assert (config.vis, config.machine.seed, config.output_dir) == ("tensorboard", 7, tmp_path)
    assert not config.logging.local_writer.enable
    assert config.steps_per_eval_image == config.steps_per_eval_batch == config.steps_per_eval_all_images == 0


def test_dataparser_data_and_resolution_are_set(tmp_path):
    """The dataset is read as asked."""
    config = training_config("nerface", tmp_path, tmp_path, "adnerf-data", 112)
    parser_config = config.pipeline.datamanager.dataparser
    assert type(parser_config).__name__ == "ADNeRFDataParserConfig"
    assert (config.data, parser_config.resolution) == (tmp_path, 112)


def test_overrides_are_those_of_ns_train(tmp_path):
    """Options of the method, then a dataparser with its own; the registered method stays as it was."""
    overrides = ["--pipeline.datamanager.train-num-rays-per-batch", "77", "nerface-data", "--scene-box-margin", "1.5"]
    config = training_config("nerface", tmp_path, overrides=overrides)
    assert config.pipeline.datamanager.train_num_rays_per_batch == 77
    assert config.pipeline.datamanager.dataparser.scene_box_margin == 1.5
    assert training_config("nerface", tmp_path).pipeline.datamanager.train_num_rays_per_batch != 77


@pytest.mark.parametrize(("overrides", "expected"), [([], 1_000_000), (["--max-num-iterations", "50"], 50)])
def test_the_clock_ends_the_training_unless_steps_are_asked_for(tmp_path, overrides, expected):
    """Only a number of steps given by hand comes before the deadline."""
    assert training_config("nerface", tmp_path, overrides=overrides).max_num_iterations == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "nerfase"}, "method 'nerfase' is not installed; expected one of .*nerface"),
        (
            {"dataparser": "nerfase-data"},
            "--dataparser 'nerfase-data' is not registered; expected one of .*nerface-data",
        ),
        ({"dataparser": "adnerf-data", "overrides": ["nerface-data"]}, "but the overrides name 'nerface-data'"),
        (
            {"dataparser": "blender-data", "resolution": 64},
            "--resolution 64: BlenderDataParserConfig has no such option",
        ),
    ],
)
def test_wrong_names_are_refused(tmp_path, changes, message):
    """The error names what came and what is known."""
    with pytest.raises(ValueError, match=message):
        training_config(**{"method": "nerface", "output_dir": tmp_path, **changes})


def test_missing_data_is_named(tmp_path):
    """The path comes back in the error."""
    with pytest.raises(FileNotFoundError, match=f"--data {tmp_path}/nowhere: no such file or folder"):
        training_config("nerface", tmp_path, tmp_path / "nowhere")


def test_stages_on_the_command_line():
    """As `ns-train nerface` parses them: a preset, a list of stages, schedules, shares of regions."""
    preset = parse_method_config("nerface", None, ["--pipeline.model.stages.preset", "geometry-appearance-joint"])
    assert preset.pipeline.model.stages == StagesConfig(preset="geometry-appearance-joint")
    listed = ["shape share=0.3 train=density weight.matte=0.5", "all"]
    options = ["--pipeline.model.stages.list", *listed, "--pipeline.model.stages.weights", "entropy=0:0,99:1"]
    shares = ["--pipeline.datamanager.pixel-sampler.region-shares", "mouth", "0.2", "hair", "0.1"]
    config = parse_method_config("nerface", None, [*options, *shares])
    assert config.pipeline.model.stages == StagesConfig(list=tuple(listed), weights=("entropy=0:0,99:1",))
    assert config.pipeline.datamanager.pixel_sampler.region_shares == (("mouth", 0.2), ("hair", 0.1))


def test_options_of_the_region_benchmark(monkeypatch):
    """benchmarks/regions.py hands them on to `nerface-benchmark`."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    overrides = importlib.import_module("regions").MOUTH_AND_EYES
    config = parse_method_config("nerface", None, overrides)
    assert (config.pipeline.datamanager.images_per_batch, len(config.pipeline.model.stages.list)) == (24, 2)
