"""Several persons in one model: what each loses beside training alone, and what a new person gains.

    python benchmarks/identities.py --data DATA/head_a --minutes 10 --resolution 128 --output-dir outputs/identities \
        --json benchmarks/results/identities_head_a.json

Trains `nerface` on a recorded person and two persons of the embedded head together, then on each alone for the same
minutes. The embedded head's third person, whom the first training never saw, then starts from it (`--load-identities`,
all steps on the new one) and, beside that, from nothing, for few minutes and for more. Figures are PSNR in dB over each
person's test frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.scripts.command_errors import one_clear_error

EMBEDDED = ("demo", "demo-1", "demo-2")
"""Persons of the embedded head; the last one is the new one."""


@dataclass
class IdentitiesBenchmark:
    """Measure a model of several persons."""

    data: Path
    """The recorded person, in NerFace's format."""
    output_dir: Path
    """Where the runs go."""
    json: Path
    """File for the figures."""
    minutes: float = 10.0
    """Wall time of each training of known persons."""
    new_minutes: tuple[float, ...] = (1.0, 5.0)
    """Wall times of the new person's trainings."""
    resolution: int = 128
    """Image height in pixels, at most 128, that of the embedded heads."""
    seed: int = 42
    """Seed of every training."""
    max_frames: int | None = None
    """Test frames of each run to score, evenly spread; all without it."""
    overrides: tuple[str, ...] = ()
    """Options of `nerface`, as `ns-train` takes them, of all trainings."""


def train(
    benchmark: IdentitiesBenchmark, name: str, people: Sequence[str], minutes: float, overrides: Sequence[str] = ()
) -> Any:
    """Train on some persons; returns each one's figures, the run's and its checkpoint."""
    import time

    from nerface_ns.evaluation.identity_scores import identity_names, scores_by_identity
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.split_scores import score_split, scores_as_json
    from nerface_ns.evaluation.timed_trainer import train_until
    from nerface_ns.evaluation.training_config import training_config

    options = [*benchmark.overrides, *overrides]
    with quiet_nerfstudio():
        size, seed = benchmark.resolution, benchmark.seed
        config = training_config("nerface", benchmark.output_dir, None, "nerface-demo", size, seed, options)
        config.data, config.experiment_name = Path(",".join(people)), name
        trainer, report = train_until(config, time.monotonic() + 60 * minutes)
        scores = {"test": score_split(trainer.pipeline, "test", max_frames=benchmark.max_frames)}
    by_split = {"test": next(iter(scores["test"].values()))}
    names = identity_names(trainer.pipeline)
    figures = scores_by_identity(by_split, names) if names else {people[0]: scores_as_json(by_split)}
    alone = {Path(person).name: own["test"] for person, own in figures.items()}
    print(f"{name}: {report.steps} steps; " + ", ".join(f"{who} {own['psnr']:.2f} dB" for who, own in alone.items()))
    return {"steps": report.steps, "train_s": round(report.train_s, 1), "test": alone}, report.checkpoint_path


def summary(together: dict[str, Any], alone: dict[str, Any], new: dict[str, Any]) -> Any:
    """Lay out what each person loses, and what the new one gains."""
    known = {who: [run["test"][who]["psnr"] for run in (together, alone[who])] for who in alone}
    pairs = {name: [run["test"][EMBEDDED[-1]]["psnr"] for run in runs] for name, runs in new.items()}
    return {
        "known": {
            who: {"together": round(both, 3), "alone": round(own, 3), "difference_db": round(both - own, 3)}
            for who, (both, own) in known.items()
        },
        "new": {
            name: {
                "from_the_others": round(started, 3),
                "from_nothing": round(scratch, 3),
                "difference_db": round(started - scratch, 3),
            }
            for name, (started, scratch) in pairs.items()
        },
    }


def main(benchmark: IdentitiesBenchmark) -> dict[str, Any]:
    """Train, score, and write the figures."""
    people, minutes = [str(benchmark.data), *EMBEDDED[:-1]], benchmark.minutes
    together, checkpoint = train(benchmark, "together", people, minutes)
    alone = {Path(who).name: train(benchmark, f"alone-{Path(who).name}", [who], minutes)[0] for who in people}
    new = {f"{some:g}_minutes": train_new(benchmark, people, checkpoint, some) for some in benchmark.new_minutes}
    record = {
        **summary(together, alone, new),
        "minutes": minutes,
        "resolution": benchmark.resolution,
        "runs": {"together": together, "alone": alone, "new": new},
        **run_record(),
    }
    write_json(benchmark.json, record)
    return record


def train_new(benchmark: IdentitiesBenchmark, people: Sequence[str], checkpoint: Path, minutes: float) -> list[Any]:
    """Train the new person, from the others and from nothing."""
    name, new = f"{minutes:g}-minutes", EMBEDDED[-1]
    start = ["--load-checkpoint", str(checkpoint), "--load-identities", "True"]
    share = ["--pipeline.datamanager.last-identity-share", "1.0"]
    started = train(benchmark, f"new-from-the-others-{name}", [*people, new], minutes, [*start, *share])
    return [started[0], train(benchmark, f"new-from-nothing-{name}", [new], minutes)[0]]


if __name__ == "__main__":
    with one_clear_error():
        main(tyro.cli(IdentitiesBenchmark, description=__doc__))
