import sys

import pytest
import torch
import tyro

from nerface_ns.scripts import export_checkpoint, import_checkpoint
from nerface_ns.scripts.import_checkpoint import ImportCheckpointCommand


def test_options_of_the_command_line(tmp_path):
    """The checkpoint stands alone, everything else has the release's value."""
    command = tyro.cli(ImportCheckpointCommand, args=["a.ckpt", "--data", str(tmp_path), "--resolution", "256"])
    assert (str(command.checkpoint), command.data, command.resolution) == ("a.ckpt", tmp_path, 256)
    assert (command.near, command.far, command.position_octaves, command.fidelity) == (0.2, 0.8, 10, "released")


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (import_checkpoint, ["{}/none.ckpt", "--data", "{}"], "none.ckpt: expected a checkpoint file here, found none"),
        (import_checkpoint, ["{}/other.ckpt", "--data", "{}"], "other.ckpt: expected NerFace's checkpoint"),
        (export_checkpoint, ["--load-config", "{}/config.yml", "--output", "{}/a.ckpt"], "config.yml: no such file"),
    ],
)
def test_commands_end_with_one_error(script, arguments, message, tmp_path, monkeypatch, capsys):
    torch.save({"step": 1}, tmp_path / "other.ckpt")
    monkeypatch.setattr(sys, "argv", ["command", *(argument.format(tmp_path) for argument in arguments)])
    with pytest.raises(SystemExit) as caught:
        script.entrypoint()
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and message in error and "Traceback" not in error
