"""Whether a training that was killed and resumed equals one that was not; a part of `trust.py`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
from tiny_trainings import EVERYTHING, METHODS, checkpoints_of, is_same, make_trainer, run_in_child, tiny_config

NUM_STEPS = 120
"""Steps of the whole training; half of them before the kill. The occupancy grid is refreshed in both halves."""


def resume_part(head: Path, work: Path, cases: tuple[str, ...] = ()) -> dict[str, Any]:
    """Train each method whole, and in two processes the first of which is killed.

    Returns:
        By case, whether losses of the second half, and all that the last checkpoints hold, are the same to the bit.
    """
    results = {}
    for case in cases or (*METHODS, EVERYTHING):
        results[case] = _is_exact(case, head, work / case.replace(" ", "_")[:20])
        print(f"{case}: {'to the bit' if results[case] else 'DIFFERENT'}", flush=True)
    return {"resume_bitwise": int(all(results.values())), "resume_steps": NUM_STEPS, "resume_cases": results}


def _is_exact(case: str, head: Path, folder: Path) -> bool:
    """Whether one case's resumed training equals its whole one."""
    statuses = [
        run_in_child(lambda: _train(_config(case, head, folder / "whole"), folder / "whole.txt")),
        run_in_child(lambda: _train_until_killed(_config(case, head, folder / "first"))),
        run_in_child(lambda: _resume(_config(case, head, folder / "second"), folder)),
    ]
    if statuses != [0, -signal.SIGKILL, 0]:
        raise RuntimeError(f"{case}: expected exit statuses 0, {-signal.SIGKILL}, 0, got {statuses}")
    whole, second = (
        torch.load(max(checkpoints_of(folder / name).glob("*.ckpt")), weights_only=True) for name in ("whole", "second")
    )
    losses, later = ((folder / f"{name}.txt").read_text().splitlines() for name in ("whole", "second"))
    return is_same(second, whole) and losses[-len(later) :] == later and len(later) > NUM_STEPS // 3


def _config(case: str, head: Path, output_dir: Path) -> Any:
    config = tiny_config(case, head, output_dir, NUM_STEPS)
    config.steps_per_save, config.steps_per_eval_batch, config.steps_per_eval_image = NUM_STEPS // 2, 10, 40
    return config


def _train(config: Any, losses_file: Path) -> None:
    trainer = make_trainer(config)
    losses = _record_losses(trainer)
    trainer.train()
    losses_file.write_text("\n".join(losses))


def _record_losses(trainer: Any) -> list[str]:
    """Let a trainer keep every loss, exactly."""
    losses: list[str] = []
    once = trainer.train_iteration

    def recorded(step: int) -> Any:
        done = once(step)
        losses.append(f"{step} {float(done[0]).hex()}")
        return done

    trainer.train_iteration = recorded
    return losses


def _train_until_killed(config: Any) -> None:
    """Save at the half, go on, and be killed some steps later."""
    trainer = make_trainer(config)
    once = trainer.train_iteration

    def killed(step: int) -> Any:
        if step == NUM_STEPS // 2 + 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return once(step)

    trainer.train_iteration = killed
    trainer.train()


def _resume(config: Any, folder: Path) -> None:
    config.load_dir = checkpoints_of(folder / "first")
    config.max_num_iterations = NUM_STEPS - (NUM_STEPS // 2 + 1)
    _train(config, folder / "second.txt")
