import copy

import pytest
import torch
import yaml
from released_code import ITERATION, RATE
from released_runs import close_writers, trained_run

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.original.exported_checkpoint import export_checkpoint

MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture
def resumed_config(run):
    """What `ns-train nerface-paper --load-config` gets."""
    return yaml.load(run.read_text(), Loader=yaml.Loader)


def test_next_step_is_that_of_the_released_optimizer(run, resumed_config, training, tmp_path):
    """The same loss at mirrored points moves every number as the one Adam of NerFace's script does."""
    config = resumed_config
    config.vis, config.machine.device_type = "tensorboard", "cpu"
    try:
        trainer = config.setup()
        trainer.setup()
    finally:
        close_writers()
    model, frame = trainer.pipeline.model, 2
    points, directions, weights = torch.randn(20, 3) * 0.2, torch.randn(20, 3), torch.randn(20, 4)
    expression = torch.randn(3)
    rows = torch.zeros(20, dtype=torch.long)
    condition = FaceCondition(
        expression[None] / 3, model.latent_codes.codes[frame][None], torch.zeros(1, 6), torch.eye(3)[None]
    )
    loss = torch.zeros(())
    for field in (model.coarse_field, model.fine_field):
        prepared = field.prepare(condition)
        raw, features = field.get_raw_density(points * MIRROR, rows, prepared)
        colour = field.get_rgb(directions, rows, prepared, features)
        loss = loss + (colour * weights[:, :3]).sum() + (raw * weights[:, 3]).sum()
    loss.backward()
    trainer.optimizers.optimizer_step_all()
    trainer.save_checkpoint(ITERATION + 1)
    export_checkpoint(run, tmp_path / "next.ckpt")

    before = training.checkpoint()
    before = {name: before[name]["fc_feat.weight"].clone() for name in before if name.startswith("model_")}
    training.step(training.loss(points, directions, expression, weights, frame))
    got, expected = torch.load(tmp_path / "next.ckpt", weights_only=True), training.checkpoint()
    torch.testing.assert_close(got["latent_codes"], expected["latent_codes"], rtol=0, atol=2e-6)
    for name in before:
        assert (expected[name]["fc_feat.weight"] - before[name]).abs().mean() > 1e-5
        for key, value in expected[name].items():
            torch.testing.assert_close(got[name][key], value, rtol=0, atol=2e-6, msg=f"{name} {key}")
    for index, state in expected["optimizer_state_dict"]["state"].items():
        ours = got["optimizer_state_dict"]["state"][index]
        assert ours["step"] == state["step"] == 4
        for moment in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(ours[moment], state[moment], rtol=1e-3, atol=1e-5)


def test_training_goes_on_and_exports(run, resumed_config, training, tmp_path):
    """Steps count on, the layer that is never asked stays, and with the release's quirk so do the codes."""
    assert trained_run(resumed_config, num_steps=2) == run
    exported = export_checkpoint(run, tmp_path / "later.ckpt")
    content, before = torch.load(exported.path, weights_only=True), training.checkpoint()
    assert content["iter"] == exported.iteration == ITERATION + 2
    assert "loss" not in content and "psnr" not in content
    assert {state["step"] for state in content["optimizer_state_dict"]["state"].values()} == {3, 5}
    for network in ("model_coarse_state_dict", "model_fine_state_dict"):
        torch.testing.assert_close(content[network]["layers_dir.3.weight"], before[network]["layers_dir.3.weight"])
        assert (content[network]["fc_rgb.weight"] - before[network]["fc_rgb.weight"]).abs().max() > 0
    torch.testing.assert_close(content["latent_codes"], before["latent_codes"], rtol=0, atol=0)
    training.optimizer.load_state_dict(content["optimizer_state_dict"])


def test_load_dir_takes_the_run(run, resumed_config, tmp_path):
    """`ns-train nerface-paper --load-dir` with the method's own settings but for the sizes."""
    config, imported = copy.deepcopy(nerface_paper.config), resumed_config.pipeline.model
    model = config.pipeline.model
    model.coarse_field, model.fine_field = imported.coarse_field, imported.fine_field
    model.coarse_field.unused_colour_layer = model.fine_field.unused_colour_layer = False
    model.latent_codes.length, model.fidelity, model.freeze_codes_on_resume = 5, "released", False
    config.data = config.pipeline.datamanager.data = resumed_config.data
    config.load_dir, config.output_dir, config.timestamp = run.parent / "nerfstudio_models", tmp_path / "more", "second"
    later = trained_run(config, num_steps=2)
    path = later.parent / "nerfstudio_models" / f"step-{ITERATION + 2:09d}.ckpt"
    state = torch.load(path, weights_only=True)
    assert {int(row["step"]) for row in state["optimizers"]["latent_codes"]["state"].values()} == {5}
    assert state["optimizers"]["networks"]["param_groups"][0]["lr"] == RATE * 0.1 ** ((ITERATION + 2) / 250_000)
