"""What a training does when its loss is no number, a frame cannot be read, or the disk is full."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from tiny_training import assert_same, made_trainer, method_config
from toy_training import ToyPipelineConfig, toy_trainer

from nerface_ns.data.frame_store import UnreadableFrameError
from nerface_ns.engine import checkpoint_writer, rollback
from nerface_ns.engine.checkpoint_file import read_checkpoint


@pytest.fixture(autouse=True)
def copies_every_four_steps(monkeypatch):
    monkeypatch.setattr(rollback, "STEPS_PER_COPY", 4)


def rates(trainer: Any) -> list[float]:
    return [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers.optimizers.values()]


def saved(trainer: Any) -> list[str]:
    return sorted(path.name for path in trainer.checkpoint_dir.glob("*"))


def ending(trainer: Any) -> str:
    """Train until a fault ends it; returns the message, which gives a process exit status 1."""
    with pytest.raises(SystemExit) as ended:
        trainer.train()
    assert isinstance(ended.value.code, str)
    return ended.value.code


def test_loss_of_nan_goes_back_once(tmp_path, capsys):
    """The state after step 7 is taken up again; step, frames and term are told; the rates stay halved."""
    plain = toy_trainer(tmp_path / "plain", 12)
    plain.train()
    trainer = toy_trainer(tmp_path / "nan", 12, ToyPipelineConfig(bad_loss=(9,)))
    states = {}
    once = trainer.train_iteration

    def recorded(step: int) -> Any:
        done = once(step)
        states[step] = [parameter.detach().clone() for parameter in trainer.pipeline.parameters()]
        return done

    trainer.train_iteration = recorded
    trainer.train()
    assert_same(states[9], states[7])
    told = " ".join(capsys.readouterr().out.split())
    assert "step 9: expected a finite loss, got rgb_loss is nan for the frames train/f_000" in told
    assert "going on with the state after step 7 and 0.5 of the learning rates" in told
    assert rates(trainer) == pytest.approx([rate / 2 for rate in rates(plain)])
    end = read_checkpoint(trainer.checkpoint_dir / "step-000000011.ckpt")
    assert end["face_state"]["num_rollbacks"] == 1
    assert all(value.isfinite().all() for value in end["pipeline"].values())


def test_second_loss_of_nan_ends_the_training(tmp_path):
    """Exit status 1, and the good state after step 11 as the checkpoint."""
    trainer = toy_trainer(tmp_path, 20, ToyPipelineConfig(bad_loss=(5, 13)))
    message = ending(trainer)
    assert "step 13: expected a finite loss" in message and "lowered for this before" in message
    assert f"the last good checkpoint, of step 11, is in {trainer.checkpoint_dir}" in message
    assert saved(trainer) == ["step-000000011.ckpt"]
    assert_same(read_checkpoint(trainer.checkpoint_dir / saved(trainer)[0]), trainer._rollback.good)


def test_resumed_training_remembers_that_it_went_back(tmp_path):
    first = toy_trainer(tmp_path / "first", 8, ToyPipelineConfig(bad_loss=(5,)))
    first.train()
    again = toy_trainer(tmp_path / "again", 8, ToyPipelineConfig(bad_loss=(10,)), load_dir=first.checkpoint_dir)
    assert rates(again) == rates(first)
    assert "step 10: expected a finite loss" in ending(again)


def test_infinite_gradient_reaches_no_checkpoint(tmp_path, capsys):
    """The loss of the last step is fine, what it makes of the parameters is not."""
    trainer = toy_trainer(tmp_path, 7, ToyPipelineConfig(bad_gradient=(6,)))
    trainer.train()
    assert "step 6: expected finite parameters, got others in networks" in " ".join(capsys.readouterr().out.split())
    end = read_checkpoint(trainer.checkpoint_dir / "step-000000006.ckpt")
    assert_same(end["pipeline"], trainer._rollback.good["pipeline"])


def test_going_back_before_the_first_step(tmp_path):
    trainer = toy_trainer(tmp_path, 3, ToyPipelineConfig(bad_loss=(0,)))
    trainer.train()
    assert saved(trainer) == ["step-000000002.ckpt"]


def test_unreadable_frame_ends_the_training_with_a_checkpoint(tmp_path):
    """Of the last step that was made."""
    failure = UnreadableFrameError("store.npy: frame 3 became unreadable")
    trainer = toy_trainer(tmp_path, 9, ToyPipelineConfig(failure=(6, failure)))
    message = ending(trainer)
    assert "frame 3 became unreadable" in message and "Training stopped after step 5" in message
    assert saved(trainer) == ["step-000000005.ckpt"]
    none = toy_trainer(tmp_path / "none", 9, ToyPipelineConfig(failure=(0, failure)))
    assert "No step was made" in ending(none)


class FullDisk:
    """A file on a disk with so many bytes left."""

    def __init__(self, file: Any, num_bytes: int) -> None:
        self.file, self.left = file, num_bytes

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.left -= self.file.write(bytes(data)[: max(self.left, 0)])
        if self.left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)


@pytest.mark.parametrize("num_bytes", [0, 3000])
def test_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch, num_bytes):
    """It still loads; nothing of the other is left; one message says so, with exit status 1."""
    trainer = toy_trainer(tmp_path, 10, save_only_latest_checkpoint=True)
    trainer.config.steps_per_save = 4
    once = checkpoint_writer.open_aside
    num_saved: list[Path] = []

    def full(path: Path) -> Any:
        num_saved.append(path)
        return once(path) if len(num_saved) == 1 else FullDisk(once(path), num_bytes)

    monkeypatch.setattr(checkpoint_writer, "open_aside", full)
    message = ending(trainer)
    assert "step-000000008.ckpt: expected room for a checkpoint of" in message and "No space left" in message
    assert f"the last one is {trainer.checkpoint_dir / 'step-000000004.ckpt'}" in message
    assert saved(trainer) == ["step-000000004.ckpt"] and not num_saved[1].exists()
    assert read_checkpoint(trainer.checkpoint_dir / "step-000000004.ckpt")["step"] == 4


def test_older_checkpoint_goes_only_after_the_new_one_is_whole(tmp_path, monkeypatch):
    """Killed between the two, both are there; killed before, the older one."""
    trainer = toy_trainer(tmp_path, 5)
    trainer.train()
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: pytest.fail("deleted"))

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_writer.os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            trainer.save_checkpoint(9)
    assert saved(trainer) == ["step-000000004.ckpt"]
    assert [path.name for path in trainer.base_dir.glob("*.part")] == ["nerfstudio_models.part"]


def test_cut_off_checkpoint_is_passed_over(tmp_path, capsys):
    """Somebody's copy of a checkpoint ends half-way: the one before is loaded, and both are named."""
    trainer = toy_trainer(tmp_path, 5)
    trainer.train()
    whole = trainer.checkpoint_dir / "step-000000004.ckpt"
    (trainer.checkpoint_dir / "step-000000009.ckpt").write_bytes(whole.read_bytes()[:-100])
    again = toy_trainer(tmp_path / "again", 5, load_dir=trainer.checkpoint_dir)
    assert again._start_step == 5
    told = " ".join(capsys.readouterr().out.split())
    assert "step-000000009.ckpt: expected a checkpoint" in told and "passed over for step-000000004.ckpt" in told
    with pytest.raises(ValueError, match=r"step-000000009\.ckpt: expected a checkpoint"):
        toy_trainer(tmp_path / "other", 5, load_dir=trainer.checkpoint_dir, load_step=9)


def test_store_cut_off_during_training(head, tmp_path, monkeypatch):
    """A real training on a store that loses its end; the image is named, and the next training builds it anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = method_config(head, tmp_path, max_num_iterations=30)
    trainer = made_trainer(config)
    store = trainer.pipeline.datamanager.train_dataset.open_store()
    names = [path.name for path in trainer.pipeline.datamanager.train_dataset.image_filenames]
    once = trainer.train_iteration

    def cut(step: int) -> Any:
        if step == 2:
            with store.path.open("r+b") as file:
                file.truncate(store.path.stat().st_size - 10)
        return once(step)

    trainer.train_iteration = cut
    message = ending(trainer)
    assert "frame 4 (" in message and "became unreadable" in message and names[4] in message
    assert "Training stopped after step 1" in message and saved(trainer) == ["step-000000001.ckpt"]
    with pytest.warns(UserWarning, match="expected a whole store, got .*decoding the images again"):
        again = made_trainer(method_config(head, tmp_path / "again"))
    assert len(again.pipeline.datamanager.train_dataset.open_store().read(4))
