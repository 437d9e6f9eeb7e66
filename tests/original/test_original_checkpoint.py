import os
import pickle

import numpy as np
import pytest
import torch
from released_code import assert_same

from nerface_ns.original.original_checkpoint import (
    load_tensors,
    read_original_checkpoint,
    write_original_checkpoint,
)


class RunsCode:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def save(training, tmp_path):
    """Writes the checkpoint with some entries changed; None takes one out."""

    def save(**changes):
        content = {**training.checkpoint(), **changes}
        path = tmp_path / "changed.ckpt"
        torch.save({name: value for name, value in content.items() if value is not None}, path)
        return path

    return save


def test_format_before_torch_1_6(training, checkpoint, tmp_path):
    """Released files may be no zip archives yet."""
    torch.save(training.checkpoint(), tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    assert_same(load_tensors(tmp_path / "old.ckpt"), load_tensors(checkpoint))


def test_written_again_it_is_the_same(checkpoint, tmp_path):
    """Entries that nothing reads are handed on."""
    write_original_checkpoint(tmp_path / "again.ckpt", read_original_checkpoint(checkpoint))
    assert_same(load_tensors(tmp_path / "again.ckpt"), load_tensors(checkpoint))


@pytest.mark.parametrize("wrap", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))])
def test_code_is_not_run(tmp_path, wrap):
    """The error names what would have been called."""
    path = tmp_path / "evil.ckpt"
    wrap({"iter": RunsCode(tmp_path / "made")}, path)
    with pytest.raises(
        ValueError, match=r"evil.ckpt: expected tensors, .* would call \w+.mkdir; nothing of it was run"
    ):
        read_original_checkpoint(path)
    assert not (tmp_path / "made").exists()


def test_numpy_is_refused_by_name(save):
    path = save(psnr=np.float64(27.5))
    with pytest.raises(ValueError, match=r"a pickle that would call numpy\S*scalar"):
        read_original_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"no checkpoint", bytes(range(256))])
def test_file_that_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "picture.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"picture.ckpt: expected a checkpoint of torch.save, got a file that is none"):
        read_original_checkpoint(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.ckpt: expected a checkpoint file here"):
        read_original_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize("content", [[1, 2], {"step": 3, "pipeline": {}}, torch.zeros(3)])
def test_other_checkpoints_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"expected NerFace's checkpoint, a dict with iter, model_coarse_state_dict"):
        read_original_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_fine_state_dict": None}, r"model_fine_state_dict: expected a network's state dict, got no such entry"),
        ({"model_coarse_state_dict": 3}, r"model_coarse_state_dict: expected a network's state dict, got int"),
        ({"iter": None}, r"iter: expected a whole number of at least 0, got None"),
        ({"iter": -1}, r"iter: expected a whole number of at least 0, got -1"),
        ({"iter": 2.5}, r"iter: expected a whole number of at least 0, got 2.5"),
        ({"optimizer_state_dict": [1]}, r"optimizer_state_dict: expected a state dict, got list"),
        ({"background": torch.zeros(12, 16)}, r"background: expected shape height x width x 3, got \(12, 16\)"),
        ({"background": torch.zeros(12, 16, 3, dtype=torch.uint8)}, r"background: expected a float32 .* torch.uint8"),
        ({"latent_codes": None}, r"latent_codes: expected a float32 tensor of frames x length, got NoneType"),
        ({"latent_codes": torch.zeros(32)}, r"latent_codes: expected shape frames x length, got \(32,\)"),
    ],
)
def test_spoiled_entries_are_named(save, changes, message):
    path = save(**changes)
    with pytest.raises(ValueError, match=message):
        read_original_checkpoint(path)


def test_checkpoint_without_optimizer_or_background(save):
    checkpoint = read_original_checkpoint(save(optimizer_state_dict=None, background=None))
    assert checkpoint.optimizer is None and checkpoint.background is None
