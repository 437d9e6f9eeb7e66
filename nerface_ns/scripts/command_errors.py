"""How commands end when the user's input is at fault."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_clear_error() -> Iterator[None]:
    """Print a `ValueError` or `FileNotFoundError` as one message and exit with status 1, without a traceback."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(1) from error
