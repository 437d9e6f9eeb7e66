"""What every test gets: shapes and types checked at run time, and skips that depend on the machine."""

import inspect
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from jaxtyping import install_import_hook
from numba.core.dispatcher import Dispatcher

# Before the first import of the package: from here on every annotated call in it is checked.
# With the numeric tower an int will do where a float is asked for.
install_import_hook("nerface_ns", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

_make_dispatcher = Dispatcher.__init__


def _make_dispatcher_of_bare_function(self: Dispatcher, py_func: Callable, *args: Any, **kwargs: Any) -> None:
    """Take the hook's check off a function that numba compiles: machine code cannot call back into it."""
    _make_dispatcher(self, inspect.unwrap(py_func), *args, **kwargs)


Dispatcher.__init__ = _make_dispatcher_of_bare_function


def pytest_configure(config: pytest.Config) -> None:
    """Compute with one thread in each of several workers, which would otherwise keep each other waiting."""
    if hasattr(config, "workerinput"):
        import numba
        import torch

        numba.set_num_threads(1)
        torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` where there is no CUDA device."""
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
