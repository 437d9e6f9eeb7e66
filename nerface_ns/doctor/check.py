"""What one check is, and what it finds."""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Literal, Optional, Tuple

Status = Literal["ok", "warn", "fail"]

TRAINING = "training"
"""`Check.needed_for` of the checks without which nothing trains."""


@dataclass(frozen=True)
class CheckResult:
    """What a check found."""

    status: Status
    """`ok`: works; `warn`: works with less, or only something optional is missing; `fail`: does not work."""
    detail: str
    """What was found, with numbers."""
    remedy: str = ""
    """What the user can do about it; empty when there is nothing to do."""
    fix: Optional[Callable[[], str]] = None
    """Mends it and says what was done; raises where it cannot. None when only the user can mend it."""


@dataclass(frozen=True)
class Check:
    """One thing that this machine must be able to do."""

    name: str
    """What is looked at."""
    needed_for: str
    """Which command or feature needs it."""
    examine: Callable[[], CheckResult]
    """Looks at it; changes nothing."""


@dataclass(frozen=True)
class Finding:
    """A check, its result and what mending it did."""

    check: Check
    result: CheckResult
    mended: str = ""
    """What `--fix` did, or why it could not."""

    @property
    def prevents_training(self) -> bool:
        """Whether nothing can be trained because of this."""
        return self.check.needed_for == TRAINING and self.result.status == "fail"


def examine(check: Check) -> CheckResult:
    """Run a check. An error inside it becomes a failed result: a broken machine is what the checks are for."""
    try:
        return check.examine()
    except Exception as error:
        return CheckResult("fail", f"could not be checked: {first_line(error)}")


def examine_and_mend(check: Check, fix: bool) -> Finding:
    """Run a check; where it found something that it can mend and `fix` is set, mend it and look again."""
    result = examine(check)
    if not fix or result.fix is None:
        return Finding(check, result)
    try:
        mended = result.fix()
    except Exception as error:
        return Finding(check, result, f"could not be mended: {first_line(error)}")
    return Finding(check, examine(check), mended)


def first_line(error: BaseException) -> str:
    """Return an error's class and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def environment_bin_dir() -> Path:
    """Return the folder that holds the running environment's commands."""
    return Path(sys.executable).parent


def run_command(command: List[str], timeout_s: float = 1800) -> Tuple[str, str]:
    """Run a command.

    Returns:
        What it wrote to stdout and to stderr.

    Raises:
        RuntimeError: It ended with an error; the message holds the command and the end of what it wrote.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RuntimeError(f"`{shlex.join(command)}` ended with {done.returncode}: {' '.join(last)}")
    return done.stdout, done.stderr


def pip_install(*arguments: str) -> str:
    """Install packages into the running environment and say so; `arguments` are pip's."""
    run_command([sys.executable, "-m", "pip", "install", *arguments])
    return f"ran {pip_command(*arguments)}"


def pip_command(*arguments: str) -> str:
    """Return the command line that `pip_install` runs."""
    return shlex.join(["pip", "install", *arguments])
