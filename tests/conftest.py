"""What every test gets: shapes and types checked at run time, and skips that depend on the machine."""

import importlib
import inspect
import os
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from jaxtyping import install_import_hook
from numba.core.dispatcher import Dispatcher

# Before the first import of the package: from here on every annotated call in it is checked.
# With the numeric tower an int will do where a float is asked for.
install_import_hook("nerface_ns", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

LONG_FILES = (
    "viewer/test_chromium.py",
    "test_stock_commands.py",
    "viewer/test_face_panel.py",
    "viewer/test_training.py",
    "tracking/test_video_tracker.py",
    "scripts/test_render.py",
    "test_packaging.py",
    "models/test_distributed_training.py",
    "evaluation/test_unseen_poses.py",
    "fitting/test_photo_fitter.py",
    "engine/test_resume.py",
)
"""Files that take longest, in the order in which they are run. With `--dist loadfile` a worker takes a whole file at a
time: one of a minute that comes last keeps one worker busy while the others have nothing left to do."""

_make_dispatcher = Dispatcher.__init__


def _make_dispatcher_of_bare_function(self: Dispatcher, py_func: Callable, *args: Any, **kwargs: Any) -> None:
    """Take the hook's check off a function that numba compiles: machine code cannot call back into it."""
    _make_dispatcher(self, inspect.unwrap(py_func), *args, **kwargs)


Dispatcher.__init__ = _make_dispatcher_of_bare_function


def pytest_configure(config: pytest.Config) -> None:
    """Keep the order of `LONG_FILES`, and compute with one thread in each of several workers.

    pytest-xdist would sort files by their numbers of tests, of which long ones have few; several threads in each of
    several workers would keep each other waiting.
    """
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    if hasattr(config, "workerinput"):
        import numba
        import torch

        numba.set_num_threads(1)
        torch.set_num_threads(1)
        # nerfstudio looks at the whole stack for each method that it lists, and pytest's is deep: 4 s, if a test is the
        # first to import them.
        first = threading.Thread(target=importlib.import_module, args=("nerfstudio.configs.method_configs",))
        first.start()
        first.join()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first, and skip tests marked `gpu` where there is no CUDA device."""
    here = Path(__file__).parent
    ranks = {here / name: rank for rank, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the data sets that tests may read; they lie beside the project, not in it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NERFACE_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no shared test data at {folder}; $NERFACE_SHARED_DATA names another place")
    return folder
