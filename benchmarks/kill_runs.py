"""What is left of a training that is killed at random moments; a part of `trust.py`."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import torch
from tiny_trainings import checkpoints_of, in_child, is_same, make_trainer, run_in_child, tiny_config, with_small_grids

from nerface_ns.engine.checkpoint_file import newest_checkpoint

STEPS_PER_SAVE = 2
LONGEST_LIFE_S = 1.2
"""Training time after which a process is killed at the latest."""
SHARE_BEFORE_TRAINING = 0.1
"""Share of the kills that fall into loading and setting up."""
LAST_STEPS = 5
"""Steps that the last process makes."""


def kills_part(head: Path, work: Path, num_kills: int, seed: int) -> dict[str, Any]:
    """Kill a training, check what it left, resume it, and so on; then compare with one that was never killed.

    Returns:
        Kills, those after which the last checkpoint was whole and no step was lost that had been saved, and whether
        the training that was killed so often ended as the other did, to the bit.
    """
    chance, newest, survived, while_saving = random.Random(seed), -1, 0, 0
    run = work / "killed"
    for kill in range(num_kills):
        died_saving = _train_and_kill(head, run, chance)
        faults, step = _check(run, newest)
        survived += not faults
        while_saving += died_saving
        newest = max(newest, step)
        print(f"kill {kill + 1}: step {step}{' while saving' if died_saving else ''} {'; '.join(faults)}", flush=True)
    last_step = newest + LAST_STEPS
    statuses = [
        run_in_child(lambda: _train(head, run, last_step)),
        run_in_child(lambda: _train(head, work / "never", last_step)),
    ]
    if statuses != [0, 0]:
        raise RuntimeError(f"expected exit statuses 0, 0 of the last trainings, got {statuses}")
    last = [max(checkpoints_of(folder).glob("*.ckpt")) for folder in (run, work / "never")]
    ends = [torch.load(path, weights_only=True) for path in last]
    return {
        "kills_tried": num_kills,
        "kills_survived": survived,
        "kills_while_saving": while_saving,
        "killed_steps": last_step + 1,
        "killed_run_bitwise": int(is_same(*ends)),
    }


def _config(head: Path, output_dir: Path) -> Any:
    config = with_small_grids(tiny_config("nerface", head, output_dir, 1_000_000))
    config.steps_per_save, config.steps_per_eval_batch, config.steps_per_eval_image = STEPS_PER_SAVE, 0, 0
    return config


def _train(head: Path, output_dir: Path, last_step: int | None = None, started: int | None = None) -> None:
    """Train in the same run folder, from its newest checkpoint where there is one.

    Args:
        head: The data.
        output_dir: Where the run's folder is.
        last_step: The last step; without it the training goes on until it is killed.
        started: Pipe that gets a byte when training starts.
    """
    config = _config(head, output_dir)
    if any(output_dir.rglob("*.ckpt")):
        config.load_dir = checkpoints_of(output_dir)
    trainer = make_trainer(config)
    if last_step is not None:
        trainer.config.max_num_iterations = last_step + 1 - trainer._start_step
    if started is not None:
        os.write(started, b".")
    trainer.train()


def _train_and_kill(head: Path, run: Path, chance: random.Random) -> bool:
    """Train for a random time; returns whether the kill fell into a save."""
    for part in run.rglob("*.part"):
        part.unlink()
    reader, writer = os.pipe()
    child = in_child(lambda: _train(head, run, started=writer))
    os.close(writer)
    if chance.random() >= SHARE_BEFORE_TRAINING:
        os.read(reader, 1)  # returns when training starts, or when the process has ended
    time.sleep(chance.uniform(0, LONGEST_LIFE_S))
    os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(reader)
    if status != -signal.SIGKILL:
        raise RuntimeError(f"expected the training to be killed, got exit status {status}")
    return any(run.rglob("*.part"))


def _check(run: Path, before: int) -> tuple[list[str], int]:
    """Return what is wrong with the checkpoints, and the newest one's step; -1 where there is none yet."""
    if not any(run.rglob("nerfstudio_models/*")):
        return (["checkpoints are gone"] if before >= 0 else []), -1
    folder = checkpoints_of(run)
    faults = []
    # nerfstudio's commands take the largest number among all file names.
    latest = max(int(name[name.find("-") + 1 : name.find(".")]) for name in os.listdir(folder))
    path, stored, passed_over = newest_checkpoint(folder)
    if passed_over or stored["step"] != latest or path.name != f"step-{latest:09d}.ckpt":
        faults.append(f"expected a whole checkpoint of step {latest}, got {path.name} {passed_over}")
    if latest < before:
        faults.append(f"expected step {before} at least, got {latest}")
    return faults, latest
