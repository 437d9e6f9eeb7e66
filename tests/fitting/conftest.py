import sys
from pathlib import Path

import pytest

# The ball that the head is made of stands beside the tests of the models.
sys.path.append(str(Path(__file__).parents[1] / "models"))

from patchy_head import make_subject


@pytest.fixture(scope="session")
def subject():
    """A person whose true state is known."""
    return make_subject()
