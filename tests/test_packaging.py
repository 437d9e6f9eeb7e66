import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "nerface_ns"

TRAINING_MODULES = {
    "nerfstudio.engine.trainer",
    "nerfstudio.pipelines.base_pipeline",
    "nerfstudio.models.base_model",
    "nerfstudio.data.datamanagers.base_datamanager",
}
SLOW_PACKAGES = {
    "imageio_ffmpeg",
    "lpips",
    "matplotlib",
    "mediapipe",
    "numba",
    "open3d",
    "psutil",
    "scipy",
    "skimage",
    "torchmetrics",
    "torchvision",
}

IMPORTS = """
import importlib.metadata, json, sys
import nerface_ns.configs.dataparser_configs
by_dataparsers = sorted(sys.modules)
entry_points = importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **selection: entry_points(group="no plug-ins")
import nerfstudio.configs.method_configs
before = set(sys.modules)
import nerface_ns.configs.method_configs
print(json.dumps({"dataparsers": by_dataparsers, "methods": sorted(set(sys.modules) - before)}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Modules that a new process imports for the dataparsers, and for the methods beside nerfstudio's own."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: set(modules) for name, modules in json.loads(done.stdout.strip().splitlines()[-1]).items()}


@pytest.mark.parametrize("point", metadata.distribution("nerface-ns").entry_points, ids=lambda point: point.name)
def test_entry_point_resolves(point):
    resolved = point.load()
    if point.group == "console_scripts":
        assert callable(resolved)
    else:
        assert type(resolved).__name__ in {"MethodSpecification", "DataParserSpecification"}


def test_methods_are_registered_under_their_own_name():
    """A run's `config.yml` stores the name, and `ns-eval` looks the method up by it."""
    for point in metadata.distribution("nerface-ns").entry_points.select(group="nerfstudio.method_configs"):
        assert point.load().config.method_name == point.name


def test_dataparsers_are_light(imported):
    """nerfstudio imports them while it imports itself: anything that trains would close a circle."""
    by_dataparsers = imported["dataparsers"]
    assert "nerface_ns.configs.dataparser_configs" in by_dataparsers
    assert not by_dataparsers & (TRAINING_MODULES | SLOW_PACKAGES)
    assert not {name for name in by_dataparsers if name.startswith(("nerface_ns.models", "nerface_ns.fields"))}


def test_methods_add_no_slow_package(imported):
    """Every `ns-*` command of the user imports them, whatever method it is for."""
    by_methods = imported["methods"]
    assert "nerface_ns.configs.method_configs" in by_methods
    assert not {name.split(".")[0] for name in by_methods} & SLOW_PACKAGES


def test_package_init_files_are_empty():
    assert [path for path in PACKAGE.rglob("__init__.py") if path.read_text().strip()] == []


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
