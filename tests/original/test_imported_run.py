import json
import math
import shutil

import numpy as np
import pytest
import torch
import yaml
from released_code import ITERATION, RATE, render
from tiny_face import edit_json

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.original.import_settings import ImportSettings
from nerface_ns.original.imported_run import import_checkpoint


@pytest.fixture
def settings(dataset, tmp_path):
    return ImportSettings(data=dataset, output_dir=tmp_path / "outputs", position_octaves=4, timestamp="first")


@pytest.fixture
def import_changed(training, settings, tmp_path):
    """Imports the checkpoint with some entries changed."""

    def run(**changes):
        path = tmp_path / "changed.ckpt"
        torch.save({**training.checkpoint(), **changes}, path)
        return import_checkpoint(path, settings)

    return run


def load_still(run, count):
    """The run, without jitter and with a few samples."""
    config = yaml.load(run.read_text(), Loader=yaml.Loader)
    model = config.pipeline.model
    model.jitter_in_evaluation, model.num_coarse_samples, model.num_importance_samples = False, count, count
    run.write_text(yaml.dump(config))
    return load_run(run)[1]


@pytest.mark.parametrize("mirrored", [True, False])
def test_pictures_are_those_of_the_released_code(training, checkpoint, settings, mirrored):
    """A test frame, which gets the code of the training frame that index_map.npy names, and a training frame."""
    if not mirrored:
        for split in ("train", "val", "test"):
            edit_json(
                settings.data / f"transforms_{split}.json",
                lambda content: content["intrinsics"].__setitem__(0, -content["intrinsics"][0]),
            )
    pipeline = load_still(import_checkpoint(checkpoint, settings).config_path, count=8)
    datamanager = pipeline.datamanager
    for split, cameras, index, code in (
        ("test", datamanager.eval_dataset.cameras, 1, 4),
        ("train", datamanager.train_dataset.cameras, 2, 2),
    ):
        with torch.no_grad():
            expected = render(training, settings.data, split, index, training.codes[code], count=8)
        got = pipeline.model.get_outputs_for_camera(cameras[index : index + 1])["rgb"].cpu()
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)
        head = (expected - training.background).abs().mean(dim=-1)
        assert head.max() > 0.1 and head.std() > 0.01, "the picture shows something"


def test_run_says_what_it_is(run):
    config = yaml.load(run.read_text(), Loader=yaml.Loader)
    model = config.pipeline.model
    assert (config.method_name, model.fidelity, model.near, model.far) == ("nerface-paper", "released", 0.2, 0.8)
    assert (model.code_frame, model.latent_codes.length, model.background.mode) == (4, 5, "photograph")
    assert (model.fine_field.trunk_width, model.fine_field.colour_width, model.fine_field.skip_layer) == (16, 8, 3)
    assert config.optimizers["networks"]["optimizer"].lr == RATE
    assert config.load_dir == run.parent / "nerfstudio_models"
    assert (run.parent / "dataparser_transforms.json").is_file()
    assert [path.name for path in run.parent.parent.iterdir()] == ["first"]


def test_checkpoint_loads_safely_and_stands_where_training_stood(run):
    path = run.parent / "nerfstudio_models" / f"step-{ITERATION:09d}.ckpt"
    state = torch.load(path, weights_only=True)
    assert state["step"] == ITERATION and state["schedulers"]["networks"]["last_epoch"] == ITERATION + 1
    rate = RATE * 0.1 ** (ITERATION / 250_000)
    assert state["optimizers"]["latent_codes"]["param_groups"][0]["lr"] == rate
    assert state["schedulers"]["networks"]["_last_lr"] == [rate]


def test_eval(run, tmp_path):
    """`ns-eval` takes the run as its own."""
    from nerfstudio.scripts.eval import ComputePSNR

    ComputePSNR(run, tmp_path / "scores.json").main()
    results = json.loads((tmp_path / "scores.json").read_text())["results"]
    assert math.isfinite(results["psnr"]) and math.isfinite(results["ssim"])


def test_code_frame_and_planes_are_asked(checkpoint, settings):
    settings.code_frame, settings.near, settings.far, settings.fidelity = 2, 0.25, 0.75, "published"
    model = load_run(import_checkpoint(checkpoint, settings).config_path)[1].model
    assert (model.near, model.far, model.unseen_code) == (0.25, 0.75, ("zero", 2))


def test_learned_background_goes_on_learning(training, import_changed):
    """Adam has moments for it only if it was trained."""
    adam = training.checkpoint()["optimizer_state_dict"]
    moments = {"exp_avg": torch.randn(12, 16, 3), "exp_avg_sq": torch.rand(12, 16, 3)}
    adam["state"][53] = {"step": 3, **moments}
    pipeline, path, _ = load_run(import_changed(optimizer_state_dict=adam).config_path)[1:]
    assert pipeline.model.background.mode == "learned"
    state = torch.load(path, weights_only=True)["optimizers"]["background"]["state"][0]
    torch.testing.assert_close(state["exp_avg"][0].permute(1, 2, 0), moments["exp_avg"])


def test_networks_that_model_the_background(import_changed):
    model = load_run(import_changed(background=None).config_path)[1].model
    assert not model.config.background_at_end


@pytest.mark.parametrize("optimizer", [None, {"state": {}, "param_groups": []}])
def test_optimizer_that_cannot_be_taken_over_is_told(import_changed, optimizer):
    run = import_changed(optimizer_state_dict=optimizer)
    assert len(run.notes) == 1 and "empty moments, because of the optimizer: " in run.notes[0]
    state = torch.load(load_run(run.config_path)[2], weights_only=True)
    assert state["optimizers"]["networks"]["state"] == {}
    rate = RATE * 0.1 ** (ITERATION / 250_000)
    assert state["schedulers"]["networks"]["_last_lr"] == [pytest.approx(rate, rel=1e-12)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_codes": torch.zeros(6, 5)}, r"latent_codes: expected 5, one for each .*transforms_train.json, got 6"),
        ({"latent_codes": torch.zeros(5, 4)}, r"expected 3 expression coefficients as in .*_train.json, got 4"),
        ({"background": torch.zeros(6, 8, 3)}, r"background: expected 16x12 pixels .* got 8x6; .* --resolution 6"),
        ({"model_fine_state_dict": None}, r"model_fine_state_dict: expected a network's state dict, got NoneType"),
    ],
)
def test_checkpoint_of_other_data_is_refused(import_changed, settings, changes, message):
    """One error, and no folder is left behind."""
    with pytest.raises(ValueError, match=message):
        import_changed(**changes)
    assert not list(settings.output_dir.rglob("*.yml"))


def test_octaves_are_named_where_the_expression_does_not_fit(checkpoint, settings):
    settings.position_octaves = 3
    with pytest.raises(ValueError, match=r"expected 3 expression .* got 9: .* in 3 octaves \(--position-octaves\)"):
        import_checkpoint(checkpoint, settings)


def test_index_map_that_disagrees_is_refused(checkpoint, settings):
    path = settings.data / "index_map.npy"
    np.save(path, np.stack([np.arange(4), np.arange(4)], axis=1))
    with pytest.raises(ValueError, match=r"index_map.npy: expected the rows of all 5 training frames, got 4"):
        import_checkpoint(checkpoint, settings)


def test_code_frame_that_is_none_is_refused(checkpoint, settings):
    settings.code_frame = 5
    with pytest.raises(ValueError, match=r"--code-frame: expected a training frame in 0..4, got 5"):
        import_checkpoint(checkpoint, settings)


def test_data_without_what_the_checkpoint_needs(checkpoint, settings):
    shutil.rmtree(settings.data / "bg")
    with pytest.raises(FileNotFoundError, match=r"expected a background photograph in the data, got none"):
        import_checkpoint(checkpoint, settings)
    settings.data = settings.data / "nowhere"
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected a dataset folder here"):
        import_checkpoint(checkpoint, settings)


def test_a_run_is_not_overwritten(run, checkpoint, settings):
    with pytest.raises(ValueError, match=r"first: expected no such folder yet, found one; choose another --timestamp"):
        import_checkpoint(checkpoint, settings)
