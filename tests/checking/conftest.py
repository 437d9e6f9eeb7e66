import sys
from pathlib import Path

# The mistakes in camera files are the benchmark's.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
