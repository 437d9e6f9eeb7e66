"""Memory over many steps of a tiny training; a part of `trust.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_trainings import make_trainer, run_in_child, tiny_config, with_small_grids

STEPS_PER_READING = 500
WARM_SHARE = 0.1
"""Share of the steps before the first reading that counts."""


def steps_part(head: Path, work: Path, num_steps: int) -> dict[str, Any]:
    """Train for many steps and compare resident memory early on and at the end.

    Returns:
        Steps, and by how many percent the median of the last fifth's readings is above that of the first fifth's after
        a tenth of the training.
    """
    readings_file = work / "readings.json"
    if run_in_child(lambda: _train(head, work / "long", num_steps, readings_file)) != 0:
        raise RuntimeError("the long training ended with an error")
    readings = json.loads(readings_file.read_text())
    counted = readings[int(WARM_SHARE * len(readings)) :]
    fifth = max(len(counted) // 5, 1)
    first, last = (sorted(part)[len(part) // 2] for part in (counted[:fifth], counted[-fifth:]))
    return {
        "long_training_steps": num_steps,
        "long_training_rss_mb": [round(first, 2), round(last, 2)],
        "long_training_growth_percent": round(100 * (last / first - 1), 3),
    }


def _train(head: Path, output_dir: Path, num_steps: int, readings_file: Path) -> None:
    import psutil

    config = with_small_grids(tiny_config("nerface", head, output_dir, num_steps))
    config.steps_per_save, config.steps_per_eval_batch, config.steps_per_eval_image = 1000, 500, 1000
    trainer = make_trainer(config)
    process, readings, once = psutil.Process(), [], trainer.train_iteration

    def read(step: int) -> Any:
        if step % STEPS_PER_READING == 0:
            readings.append(process.memory_info().rss / 2**20)
        return once(step)

    trainer.train_iteration = read
    trainer.train()
    readings_file.write_text(json.dumps(readings))
