import sys
from pathlib import Path

# Made-up datasets and models of the rooms below.
sys.path[:0] = [
    str(Path(__file__).parents[1] / folder) for folder in ("checking", "data", "data/dataparsers", "models")
]
