"""Training in two processes against training in one; a part of `trust.py`.

nerfstudio 1.1.5 refuses several processes without CUDA: its launcher asserts a GPU for each, and its pipeline names a
device to `DistributedDataParallel` that a CPU does not have. Both are gone round here, and everything else, trainer,
pipeline and data manager, is what runs on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from nerfstudio.engine.callbacks import TrainingCallbackLocation
from nerfstudio.pipelines import base_pipeline
from tiny_trainings import SEED, checkpoints_of, in_child, is_same, make_trainer, run_in_child, tiny_config
from torch.nn.parallel import DistributedDataParallel

NUM_PROCESSES = 2
NUM_STEPS, MORE_STEPS = 45, 5


class WithoutDevice(DistributedDataParallel):
    """As nerfstudio's pipeline makes it, but on a CPU."""

    def __init__(self, module: Any, device_ids: Any = None, **settings: Any) -> None:
        super().__init__(module, **settings)


def processes_part(head: Path, work: Path) -> dict[str, Any]:
    """Train in two processes, go on in one, and in two again.

    Returns:
        The largest difference of a gradient from that of one process on both batches, as a share of the largest
        gradient of its tensor; whether both processes hold the same at the end; whether each loads the other's
        checkpoints.
    """
    _run(lambda rank: _train_as(rank, head, work / "two", None, NUM_STEPS))
    _require(run_in_child(lambda: _gradients_of_one(head, work / "one")))
    _require(run_in_child(lambda: _train_one(head, work / "on", checkpoints_of(work / "two"))))
    _run(lambda rank: _train_as(rank, head, work / "again", checkpoints_of(work / "on"), MORE_STEPS))
    two, again = ([torch.load(work / name / f"{r}.pt") for r in range(NUM_PROCESSES)] for name in ("two", "again"))
    one = torch.load(work / "one" / "gradients.pt")
    errors = {
        name: float((ours["gradients"][name] - one[name]).abs().max() / one[name].abs().max().clamp(min=1e-12))
        for ours in two
        for name in one
    }
    stored = [
        torch.load(max(checkpoints_of(work / name).glob("*.ckpt")), weights_only=True)["step"]
        for name in ("two", "on", "again")
    ]
    return {
        "two_processes_gradient_error": max(errors.values()),
        "two_processes_in_step": int(all(is_same(pair[0]["state"], pair[1]["state"]) for pair in (two, again))),
        "two_processes_interchange": int(
            stored == [NUM_STEPS - 1, NUM_STEPS + MORE_STEPS - 1, NUM_STEPS + 2 * MORE_STEPS - 1]
        ),
    }


def _run(work: Callable[[int], None]) -> None:
    children = [in_child(lambda rank=rank: work(rank)) for rank in range(NUM_PROCESSES)]
    for child in children:
        _require(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _require(status: int) -> None:
    if status != 0:
        raise RuntimeError(f"a training ended with exit status {status}")


def _train_as(rank: int, head: Path, output_dir: Path, load_dir: Path | None, num_steps: int) -> None:
    """Train as one of two processes, and write what this one holds."""
    output_dir.mkdir(parents=True, exist_ok=True)
    rendezvous = f"file://{output_dir}/rendezvous"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=NUM_PROCESSES)
    without_device = SimpleNamespace(barrier=lambda **_: dist.barrier())
    with mock.patch.multiple(base_pipeline, DDP=WithoutDevice, dist=without_device):
        config = tiny_config("nerface", head, output_dir, num_steps)
        config.load_dir = load_dir
        torch.manual_seed(SEED + rank)
        trainer = config.setup(local_rank=rank, world_size=NUM_PROCESSES)
        trainer.setup()
        gradients = _record_first_gradients(trainer, rank)
        trainer.train()
    state = trainer.pipeline.model.state_dict()
    torch.save({"gradients": gradients, "state": state}, output_dir / f"{rank}.pt")
    dist.destroy_process_group()


def _record_first_gradients(trainer: Any, rank: int) -> dict[str, torch.Tensor]:
    """Let a trainer draw its first batch by its rank, and keep what it makes of it."""
    gradients: dict[str, torch.Tensor] = {}
    step_once, train_once = trainer.optimizers.optimizer_scaler_step_some, trainer.train_iteration

    def recorded(*arguments: Any) -> None:
        if not gradients:
            gradients.update(_gradients(trainer))
        step_once(*arguments)

    def seeded(step: int) -> Any:
        if not gradients:
            torch.manual_seed(1000 + rank)
        return train_once(step)

    trainer.optimizers.optimizer_scaler_step_some, trainer.train_iteration = recorded, seeded
    return gradients


def _gradients(trainer: Any) -> dict[str, torch.Tensor]:
    parameters = trainer.pipeline.model.named_parameters()
    return {name: p.grad.clone() for name, p in parameters if p.grad is not None and p.numel()}


def _gradients_of_one(head: Path, output_dir: Path) -> None:
    """Gradients of both processes' batches in one process."""
    trainer = make_trainer(tiny_config("nerface", head, output_dir, NUM_STEPS))
    trainer.pipeline.train()
    for callback in trainer.callbacks:
        callback.run_callback_at_location(0, TrainingCallbackLocation.BEFORE_TRAIN_ITERATION)
    for rank in range(NUM_PROCESSES):
        torch.manual_seed(1000 + rank)
        _, losses, _ = trainer.pipeline.get_train_loss_dict(0)
        (sum(losses.values()) / NUM_PROCESSES).backward()
    torch.save(_gradients(trainer), output_dir / "gradients.pt")


def _train_one(head: Path, output_dir: Path, load_dir: Path) -> None:
    config = tiny_config("nerface", head, output_dir, MORE_STEPS)
    config.load_dir = load_dir
    trainer = make_trainer(config)
    assert trainer._start_step == NUM_STEPS
    trainer.train()
