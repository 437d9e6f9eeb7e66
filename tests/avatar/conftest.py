import sys
from pathlib import Path

import pytest

# Models of the smallest sizes stand beside the benchmark that damages their files.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from made_up_models import made_up_pipeline

from nerface_ns.avatar.exported_avatar import avatar_of


@pytest.fixture(scope="session")
def avatar():
    """An avatar of an untrained model."""
    return avatar_of("made up", made_up_pipeline(), "nerface", 3, "CC BY 4.0", "she agreed")
