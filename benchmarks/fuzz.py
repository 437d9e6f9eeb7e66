"""What the project's readers do with damaged files.

    python benchmarks/fuzz.py --json benchmarks/results/fuzz.json --files 20000 2>/dev/null

(OpenCV's libraries tell on the error stream what they found wrong with pictures.)
Every file is a whole one with one to four faults (see `mutations.py`). It has to be read, or refused with `ValueError`
or `FileNotFoundError`, which the commands print as one message. Anything else is an unclean failure: another exception,
a call or a process started, a file opened outside of the case's folder, more than `MAX_GROWTH_MB` of memory, or more
than `MAX_READ_S` seconds. The process runs all files, so a crash of it would show as no report.
"""

from __future__ import annotations

import collections
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import tyro
from fuzzed_layouts import layout_readers
from fuzzed_readers import Reader, all_readers
from mutations import mutated

from nerface_ns.evaluation.run_record import run_record, write_json

MAX_GROWTH_MB, MAX_READ_S = 256, 5.0
SHARES = {"avatar": 12}
"""How often a reader's turn comes, for those not in the usual number of 2."""
FORBIDDEN_EVENTS = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect")
"""Audit events of Python that no reader causes."""


@dataclass
class Outcome:
    """What became of one reader's files."""

    files: int = 0
    refused: int = 0
    unclean: list[str] = field(default_factory=list)
    """What happened, each with the case's number."""
    slowest_s: float = 0.0
    growth_mb: float = 0.0


class Watch:
    """Listens to Python's audit events while a file is being read; a hook stays for the life of the process."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event in FORBIDDEN_EVENTS:
            self.seen.append(event)
        if event == "open" and isinstance(arguments[0], str) and not self._is_allowed(arguments[0]):
            self.seen.append(f"open {arguments[0]}")

    def _is_allowed(self, name: str) -> bool:
        """Whether a file is the case's, or belongs to Python and the system rather than to anybody's data."""
        own = (str(self.folder), sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[1]))
        return str(Path(name).resolve()).startswith((*own, "/proc", "/sys", "/dev", "/usr"))


def fuzz_reader(reader: Reader, num_files: int, seed: int, folder: Path, watch: Watch) -> Outcome:
    """Damage files and read them."""
    for name, data in reader.beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    path, outcome = folder / reader.file_name, Outcome()
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(folder / "cache")):
        # What is imported, compiled and cached at the first read does not count.
        for data in reader.seeds:
            path.write_bytes(data)
            _read(reader, path, "whole file", Outcome(), watch)
        watch.folder = folder
        for number in range(num_files):
            chance = random.Random(f"{seed} {reader.name} {number}")
            path.write_bytes(mutated(chance.choice(reader.seeds), chance))
            _read(reader, path, f"case {number}", outcome, watch)
        watch.folder = None
    return outcome


def _read(reader: Reader, path: Path, case: str, outcome: Outcome, watch: Watch) -> None:
    before_mb, start = _peak_mb(), time.monotonic()
    outcome.files += 1
    watch.seen = []
    try:
        reader.read(path)
    except (ValueError, FileNotFoundError):
        outcome.refused += 1
    except Exception as error:  # the very thing that is looked for
        outcome.unclean.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
    outcome.unclean += [f"{case}: {event}" for event in watch.seen]
    duration_s, growth_mb = time.monotonic() - start, _peak_mb() - before_mb
    if duration_s > MAX_READ_S or growth_mb > MAX_GROWTH_MB:
        outcome.unclean.append(f"{case}: took {duration_s:.1f} s and {growth_mb:.0f} MB")
    outcome.slowest_s = max(outcome.slowest_s, duration_s)
    outcome.growth_mb += growth_mb


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(
    json: Path = Path("benchmarks/results/fuzz.json"), files: int = 20_000, seed: int = 0, only: tuple[str, ...] = ()
) -> None:
    """Damage files, read them, and report.

    Args:
        json: File for the result.
        files: Damaged files in all; a quarter of them avatars.
        seed: Of the damage.
        only: Readers to try; all without it.
    """
    warnings.simplefilter("ignore")
    watch, report = Watch(), {}
    with tempfile.TemporaryDirectory() as work:
        readers = [*all_readers(Path(work)), *layout_readers(Path(work))]
        chosen = [reader for reader in readers if not only or reader.name in only]
        shares = [SHARES.get(reader.name, 2) for reader in chosen]
        for reader, share in zip(chosen, shares):
            folder = Path(work) / reader.name
            folder.mkdir()
            outcome = fuzz_reader(reader, -(-files * share // sum(shares)), seed, folder, watch)
            report[reader.name] = outcome
            kinds = collections.Counter(line.split(": ", 1)[1][:90] for line in outcome.unclean)
            print(f"{reader.name}: {outcome.files} files, {outcome.refused} refused, {len(outcome.unclean)} unclean")
            for kind, count in kinds.most_common(8):
                print(f"    {count} x {kind}")
    result = {
        "fuzzed_files": sum(outcome.files for outcome in report.values()),
        "unclean_failures": sum(len(outcome.unclean) for outcome in report.values()),
        "growth_mb": round(sum(outcome.growth_mb for outcome in report.values()), 1),
        "readers": {
            name: {
                "files": outcome.files,
                "refused": outcome.refused,
                "unclean": len(outcome.unclean),
                "examples": outcome.unclean[:10],
                "slowest_s": round(outcome.slowest_s, 3),
            }
            for name, outcome in report.items()
        },
        "seed": seed,
    }
    write_json(json, {**result, **run_record()})


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
