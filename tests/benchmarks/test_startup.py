import importlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ASK = "print(sorted(importlib.metadata.entry_points(group='nerfstudio.method_configs').names))"


@pytest.fixture
def startup(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("startup")


def test_hidden_plugin_registers_nothing(startup):
    """A process that hides the plug-in sees every other plug-in's methods, and none of this one's."""
    found = {
        program: subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for program in (f"import importlib.metadata\n{ASK}", f"{startup.HIDE_PLUGIN}\nimport importlib\n{ASK}")
    }
    shown, hidden = found.values()
    own = {
        point.name for point in metadata.entry_points(group="nerfstudio.method_configs") if "nerface_ns" in point.value
    }
    assert "nerface" in own
    assert set(eval(shown)) - set(eval(hidden)) == own


def test_ratios_are_of_medians(startup):
    """3 / 2 and 1 / 2, whatever the slowest run took."""
    seconds = {"nerface": [3.0, 1.0, 90.0], "nerfacto": [1.0, 1.0, 1.0], "nerfacto_without_plugin": [2.0, 2.0, 50.0]}
    record = startup.startup_record(seconds)
    assert record["ratio_to_nerfacto_without_plugin"] == {
        "nerface": 1.5,
        "nerfacto": 0.5,
        "nerfacto_without_plugin": 1.0,
    }
