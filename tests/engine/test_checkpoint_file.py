import pytest
import torch

from nerface_ns.engine.checkpoint_file import checkpoint_path, read_checkpoint


@pytest.fixture
def folder(tmp_path):
    for step in (20, 3, 100):
        (tmp_path / f"step-{step:09d}.ckpt").touch()
    return tmp_path


def test_last_step_of_a_folder_unless_one_is_named(folder):
    assert checkpoint_path(folder, None, None).name == "step-000000100.ckpt"
    assert checkpoint_path(folder, 3, None).name == "step-000000003.ckpt"


def test_folder_goes_before_a_file(folder):
    """As nerfstudio has it."""
    assert checkpoint_path(folder, None, folder / "step-000000003.ckpt").name == "step-000000100.ckpt"


def test_missing_files_are_named(folder):
    with pytest.raises(FileNotFoundError, match=rf"--load-dir {folder}: expected a checkpoint step-000000004.ckpt, f"):
        checkpoint_path(folder, 4, None)
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected a checkpoint step-\*.ckpt, found none"):
        checkpoint_path(folder / "nowhere", None, None)
    with pytest.raises(FileNotFoundError, match=r"--load-checkpoint .*gone.ckpt: no such file"):
        checkpoint_path(None, None, folder / "gone.ckpt")


def test_nothing_to_load_from():
    with pytest.raises(ValueError, match="expected --load-dir or --load-checkpoint as well, got neither"):
        checkpoint_path(None, None, None)


def test_file_that_is_no_checkpoint(tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_text("text")
    with pytest.raises(ValueError, match=f"{path}: expected a checkpoint of nerfstudio, which torch loads, got"):
        read_checkpoint(path)
    torch.save({"step": 1, "weights": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=f"{path}: expected a checkpoint of nerfstudio, got one without pipeline, opt"):
        read_checkpoint(path)
