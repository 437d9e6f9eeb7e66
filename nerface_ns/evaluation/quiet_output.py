"""Keeps nerfstudio's own messages off the terminal."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

NOISY_MODULES = r"(torch|torchvision|torchmetrics|nerfstudio|nerfacc|viser|timm)\b.*"
"""Packages whose deprecation notes are not about what the user does."""


@contextmanager
def quiet_nerfstudio(enabled: bool = True) -> Iterator[None]:
    """Silence nerfstudio's console and the deprecation notes of the packages beneath it; errors still rise.

    Args:
        enabled: Whether to be quiet at all.
    """
    if not enabled:
        yield
        return
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.data.face_datamanager import silence_index_warnings

    was_quiet = CONSOLE.quiet
    CONSOLE.quiet = True
    try:
        with warnings.catch_warnings():
            for category in (FutureWarning, UserWarning, DeprecationWarning):
                warnings.filterwarnings("ignore", category=category, module=NOISY_MODULES)
            yield
    finally:
        CONSOLE.quiet = was_quiet
        silence_index_warnings()  # a data manager made above set this filter, which went with the block
