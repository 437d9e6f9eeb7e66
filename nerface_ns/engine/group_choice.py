"""Which parameter groups of a checkpoint are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class GroupChoice:
    """Names given with --load-only or with --load-ignore."""

    option: str
    """The option, for messages."""
    names: Tuple[str, ...]
    """What was given with it."""

    @classmethod
    def parse(cls, load_only: Optional[str], load_ignore: Optional[str]) -> Optional[GroupChoice]:
        """Read the two options; None where neither is given.

        Args:
            load_only, load_ignore: Names of parameter groups, separated by commas.

        Raises:
            ValueError: Both are given, or one without a name.
        """
        if load_only is None and load_ignore is None:
            return None
        if load_only is not None and load_ignore is not None:
            raise ValueError(f"--load-only {load_only} and --load-ignore {load_ignore}: expected one of them, got both")
        option, text = ("--load-only", load_only) if load_ignore is None else ("--load-ignore", load_ignore)
        names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
        if not names:
            raise ValueError(f"{option} {text!r}: expected names of parameter groups, separated by commas")
        return cls(option, names)

    def takes(self, groups: Collection[str]) -> bool:
        """Whether something is taken that goes with these groups; what goes with none is not."""
        if not groups:
            return False
        if self.option == "--load-only":
            return set(groups) <= set(self.names)
        return not set(groups) & set(self.names)

    def check(self, source: str, in_model: Iterable[str], in_file: Iterable[str]) -> None:
        """Refuse names that are no groups: of the model, and with --load-only of the checkpoint.

        Args:
            source: The checkpoint, for messages.
            in_model: Groups of the model.
            in_file: Groups of the checkpoint.
        """
        in_model, in_file = sorted(in_model), sorted(in_file)
        wanted_only = self.option == "--load-only"
        known = set(in_model) if wanted_only else {*in_model, *in_file}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise ValueError(
                f"{self.option} {','.join(self.names)}: expected parameter groups among {', '.join(sorted(known))}, "
                f"got {', '.join(unknown)}"
            )
        absent = [name for name in self.names if wanted_only and name not in in_file]
        if absent:
            raise ValueError(
                f"{source}: expected the parameter groups {', '.join(absent)} as {self.option} asks for, got a "
                f"checkpoint of {', '.join(in_file) or 'none'}"
            )
