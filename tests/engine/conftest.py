from pathlib import Path

import pytest
from small_runs import write_head
from tiny_training import without_frame

NEW_ROW = 2
"""Row of the frame that the longer recording has and the other has not."""


@pytest.fixture(scope="session")
def longer_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training frames."""
    return write_head(tmp_path_factory.mktemp("longer"))


@pytest.fixture(scope="session")
def head(longer_head: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five of them: the third is missing."""
    return without_frame(longer_head, NEW_ROW, tmp_path_factory.mktemp("head"))
