"""README's measured figures, taken from the files behind them.

    python benchmarks/readme_figures.py           # says which passages of README differ from their files
    python benchmarks/readme_figures.py --write   # puts the files' figures into them

`configs/readme_figures.txt` holds passages of README, one below the other with an empty line between, in which each
figure is `{FILE|PATH|FORMAT}`: a file of `benchmarks/results` without its suffix, keys and list places with dots
between, and a format as Python's, whose `%` stands for a hundredfold without the sign, or which a factor precedes as in
`0.001*.1f`. Line breaks of prose do not matter. A test compares all passages with README.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import tyro
from timed_runs import RESULTS

REPOSITORY = RESULTS.parents[1]
README, PASSAGES = REPOSITORY / "README.md", REPOSITORY / "configs" / "readme_figures.txt"
FIGURE = re.compile(r"\{([^|{}]+)\|([^|{}]+)\|([^|{}]+)\}")
NUMBER = r"([-+]?\d+(?:\.\d+)?)"
MISSING = "missing: "
DECIMAL = re.compile(r"\d+\.\d+")


@dataclass
class ReadmeFigures:
    """Compare README with the files behind it."""

    write: bool = False
    """Put the files' figures into README."""


@dataclass(frozen=True)
class Figure:
    """One number of README."""

    file: str
    """File of `benchmarks/results` without suffix."""
    path: str
    """Keys and list places, with dots between."""
    format: str
    """As Python's, after `FACTOR*` where there is one."""

    def text(self) -> str:
        """Return the figure as README shows it.

        Raises:
            ValueError: The file holds no number there.
        """
        value: Any = _read(self.file)
        for key in self.path.split("."):
            known = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
            key = int(key) if isinstance(value, list) and key.isdigit() else key
            if key not in known:
                raise ValueError(f"{self.file}.json: expected a number at {self.path}, got none")
            value = known[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{self.file}.json: expected a number at {self.path}, got {value!r}")
        factor, _, style = self.format.rpartition("*")
        return format(value * float(factor) if factor else value, style).removesuffix("%")


@lru_cache
def _read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Passage:
    """Words of README with figures between them."""

    words: tuple[str, ...]
    """One more than there are figures."""
    figures: tuple[Figure, ...]

    @classmethod
    def parse(cls, text: str) -> Passage:
        """Read a passage as the configuration has it."""
        parts = FIGURE.split(text.strip())
        words = parts[0::4]
        return cls(tuple(words), tuple(Figure(*parts[place : place + 3]) for place in range(1, len(parts), 4)))

    def filled(self) -> str:
        """Return the passage with its figures, in one line of single spaces."""
        texts = [figure.text() for figure in self.figures]
        whole = "".join(word + text for word, text in zip(self.words, [*texts, ""]))
        return " ".join(whole.split())

    def find(self, readme: str) -> re.Match[str] | None:
        """Return where README has these words, whatever the figures there are."""
        words = [r"\s+".join(re.escape(part) for part in re.split(r"\s+", word)) for word in self.words]
        return re.search(NUMBER.join(words), readme)


def read_passages(path: Path = PASSAGES) -> list[Passage]:
    """Return the passages of the configuration."""
    blocks = re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())
    return [Passage.parse(block) for block in blocks]


def update(readme: str, passages: list[Passage]) -> tuple[str, list[str]]:
    """Return README with the files' figures, and the passages that differed or are missing, as they should be."""
    wrong = []
    for passage in passages:
        found, filled = passage.find(readme), passage.filled()
        if found is None:
            wrong.append(f"{MISSING}{filled}")
        elif " ".join(found.group().split()) != filled:
            wrong.append(filled)
            for place, figure in reversed(list(enumerate(passage.figures, start=1))):
                readme = readme[: found.start(place)] + figure.text() + readme[found.end(place) :]
    return readme, wrong


def decimals_without_file(text: str, passages: list[Passage]) -> list[str]:
    """Return the lines of a text that hold a decimal number which no passage covers."""
    covered: set[int] = set()
    for passage in passages:
        found = passage.find(text)
        if found is not None:
            covered |= set(range(*found.span()))
    loose = [match for match in DECIMAL.finditer(text) if match.start() not in covered]
    return [text[text.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0] for match in loose]


def main(command: ReadmeFigures) -> None:
    """Compare; write where that is asked for."""
    readme, wrong = update(README.read_text(encoding="utf-8"), read_passages())
    for passage in wrong:
        print(passage)
    if command.write:
        README.write_text(readme, encoding="utf-8")
        wrong = [passage for passage in wrong if passage.startswith(MISSING)]
    if wrong:
        sys.exit(f"{len(wrong)} passages differ or are missing")


if __name__ == "__main__":
    main(tyro.cli(ReadmeFigures, description=__doc__))
