import pytest

from nerface_ns.evaluation.training_config import training_config


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
