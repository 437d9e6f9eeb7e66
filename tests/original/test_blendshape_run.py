import sys

import pytest
import torch
from blendshape_folder import write_blendshape
from released_blendshape import NUM_COEFFICIENTS, released_forward, released_state
from tiny_face import edit_json

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.original import blendshape_run
from nerface_ns.original.blendshape_run import BlendshapeImportSettings, import_blendshape
from nerface_ns.scripts import import_blendshape as command


@pytest.fixture
def recording(tmp_path):
    """NeRFBlendShape's layout, with as many coefficients as the state dict."""
    folder = write_blendshape(tmp_path / "subject")

    def shorten(content) -> None:
        for frame in content["frames"]:
            frame["exp_ori"] = frame["exp_ori"][-NUM_COEFFICIENTS:]

    edit_json(folder / "transforms.json", shorten)
    return folder


@pytest.fixture
def settings(recording, tmp_path, monkeypatch):
    """Of an import whose data keep their last frames apart, as so short a recording can."""
    from nerface_ns.configs.dataparser_configs import nerfblendshape_data

    monkeypatch.setattr(nerfblendshape_data.config, "num_test_frames", 3)
    monkeypatch.setattr(nerfblendshape_data.config, "num_val_frames", 1)
    monkeypatch.setattr(blendshape_run, "OCCUPANCY_REFRESHES", 1)
    return BlendshapeImportSettings(data=recording, output_dir=tmp_path / "outputs", timestamp="first")


def saved(tmp_path, content):
    path = tmp_path / "ngp_60000.pth.tar"
    torch.save(content, path)
    return path


def test_run_computes_what_the_release_does(settings, tmp_path):
    """Loaded as every command loads it: the field under a test frame's raw coefficients, clamped to the training's."""
    state = released_state()
    run = import_blendshape(saved(tmp_path, {"model": state, "global_step": 60000}), settings)
    assert run.parent == tmp_path / "outputs" / "subject" / "nerface-blendshape" / "first"
    config, pipeline = load_run(run)[:2]
    assert config.method_name == "nerface-blendshape"
    model = pipeline.model
    camera = pipeline.datamanager.eval_dataset.cameras[1:2]
    condition = model.get_camera_condition(camera)
    train = model.track.expression
    raw = camera.metadata["expression"][0]
    clamped = torch.minimum(torch.maximum(raw, train.amin(dim=0)), train.amax(dim=0))
    assert (clamped != raw).any()
    positions, direction = torch.rand(4, 3) * 0.3 - 0.15, torch.tensor([0.6, 0.0, -0.8])
    rows = torch.zeros(4, dtype=torch.long)
    with torch.no_grad():
        prepared = model.field.prepare(condition)
        density, embedding = model.field.get_density(positions, rows, prepared)
        colour = model.field.get_rgb(direction.expand(4, 3), rows, prepared, embedding)
    for number in range(4):
        expected = released_forward(state, positions[number].tolist(), direction.tolist(), clamped, 64)
        torch.testing.assert_close(density[number], expected[0], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(colour[number], expected[1], atol=1e-4, rtol=1e-4)
    assert model.get_outputs_for_camera(camera)["rgb"].isfinite().all()


def test_wrong_number_of_coefficients(settings, tmp_path):
    state = released_state()
    state["encoder.embeddings"] = state["encoder.embeddings"][:1]
    with pytest.raises(ValueError, match=r"expected 2 tables, one for each coefficient of .*, got 1"):
        import_blendshape(saved(tmp_path, {"model": state, "global_step": 1}), settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"step": 1}, "expected NeRFBlendShape's checkpoint"),
        ({"model": {"encoder.embeddings": torch.zeros(1, 2, 4)}, "global_step": -1}, "global_step: expected a whole"),
        ({"model": {"encoder.embeddings": torch.zeros(1, 2, 4)}, "global_step": 1}, "and encoder.offsets"),
    ],
)
def test_other_files_end_with_one_error(content, message, settings, tmp_path, monkeypatch, capsys):
    path = saved(tmp_path, content)
    monkeypatch.setattr(sys, "argv", ["command", str(path), "--data", str(settings.data)])
    with pytest.raises(SystemExit) as caught:
        command.entrypoint()
    assert caught.value.code == 1
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("Error: ") and path.name in error and message in error


def test_existing_run_is_left_alone(settings, tmp_path):
    (tmp_path / "outputs" / "subject" / "nerface-blendshape" / "first").mkdir(parents=True)
    with pytest.raises(ValueError, match="expected no such folder yet"):
        import_blendshape(saved(tmp_path, released_state()), settings)
