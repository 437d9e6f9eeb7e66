import sys
from pathlib import Path

# The ball of the models' tests, and cameras that look at it.
sys.path.append(str(Path(__file__).parents[1] / "models"))
