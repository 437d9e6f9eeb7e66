"""nerfacc's CUDA extension: where it stands, what CUDA 13 needs to build it, and whether it computes."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Iterable, List, Optional

COMPATIBILITY_HEADER = Path(__file__).with_name("nerfacc_cuda13.h")
LIBRARY_HEADERS = {"cublas_v2.h": "cublas", "cusparse.h": "cusparse", "cusolverDn.h": "cusolver", "curand.h": "curand"}
"""Headers that torch's CUDA context and nerfacc include, and their libraries; some toolkit installations lack them."""


def toolkit_root() -> Optional[Path]:
    """Return the real CUDA toolkit folder (the one with `bin/nvcc` and `include`), or None.

    `nvcc` on PATH is often a link (`/usr/bin/nvcc`); torch takes its parent's parent as the toolkit, which then
    has no headers. So links are followed.
    """
    named = [os.environ.get(variable) for variable in ("CUDA_HOME", "CUDA_PATH")]
    candidates = [Path(root) / "bin" / "nvcc" for root in named if root]
    on_path = shutil.which("nvcc")
    candidates += [Path(on_path)] if on_path else []
    candidates.append(Path("/usr/local/cuda/bin/nvcc"))
    for nvcc in candidates:
        if nvcc.is_file():
            root = nvcc.resolve().parent.parent
            if (root / "include" / "cuda_runtime.h").is_file() or (root / "targets").is_dir():
                return root
    return None


def cuda_major() -> Optional[int]:
    """Return the major version of the CUDA that torch was built for, or None for a build without CUDA."""
    import torch

    match = re.match(r"(\d+)", torch.version.cuda or "")
    return int(match.group(1)) if match else None


def enable_nerfacc_compat() -> bool:
    """Prepare this process's environment so that nerfacc's extension builds at its first use.

    Makes the toolkit's `nvcc` and this environment's `ninja` visible, and on CUDA 13 and later puts the compatibility
    header before every file that nvcc compiles. Call it before nerfacc's first CUDA call; calling it again changes
    nothing.

    Returns:
        Whether the compatibility header is in force.
    """
    root, major = toolkit_root(), cuda_major()
    if root is None or major is None:
        return False
    _prepend_to_path_variable("PATH", Path(sys.executable).parent)
    _prepend_to_path_variable("PATH", root / "bin")
    os.environ["CUDA_HOME"] = str(root)
    # torch reads CUDA_HOME once, when this module is imported, which other packages may have done already.
    cpp_extension: Any = sys.modules.get("torch.utils.cpp_extension")
    if cpp_extension is not None:
        cpp_extension.CUDA_HOME = str(root)
    if major < 13:
        return False
    flags = os.environ.get("NVCC_PREPEND_FLAGS", "")
    if str(COMPATIBILITY_HEADER) not in flags:
        os.environ["NVCC_PREPEND_FLAGS"] = f"-include {shlex.quote(str(COMPATIBILITY_HEADER))} {flags}".strip()
    if any(not _has_header(_toolkit_include_dirs(root), header) for header in LIBRARY_HEADERS):
        for folder in _torch_include_dirs():
            _prepend_to_path_variable("CPATH", folder)
    return True


def _prepend_to_path_variable(variable: str, folder: Path) -> None:
    entries = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry]
    if str(folder) not in entries:
        os.environ[variable] = os.pathsep.join([str(folder), *entries])


def missing_libraries(root: Path) -> List[str]:
    """Return the CUDA libraries whose headers are neither in the toolkit nor in the packages that torch brought."""
    folders = [*_toolkit_include_dirs(root), *_torch_include_dirs()]
    return [library for header, library in LIBRARY_HEADERS.items() if not _has_header(folders, header)]


def _has_header(folders: Iterable[Path], header: str) -> bool:
    return any((folder / header).is_file() for folder in folders)


def _toolkit_include_dirs(root: Path) -> List[Path]:
    return [root / "include", *root.glob("targets/*/include")]


def _torch_include_dirs() -> List[Path]:
    """Return the folders of headers that the package index's CUDA libraries brought."""
    import torch

    return sorted(Path(torch.__file__).resolve().parent.parent.glob("nvidia/*/include"))


def build_dir() -> Path:
    """Return the folder into which torch builds nerfacc's extension."""
    from torch.utils.cpp_extension import _get_build_directory

    return Path(_get_build_directory("nerfacc_cuda", verbose=False))


def is_built() -> bool:
    """Return whether the extension was compiled already, with the package or at its first use."""
    from importlib.util import find_spec

    return find_spec("nerfacc.csrc") is not None or any(build_dir().glob("*.so"))


def remove_build() -> bool:
    """Remove what an earlier build left: after a failed or interrupted one, its lock makes the next wait for ever.

    Returns:
        Whether there was something to remove.
    """
    folder = build_dir()
    removed = any(folder.iterdir())
    shutil.rmtree(folder)
    return removed


def traverse_small_grid() -> list[float]:
    """Build the extension if need be, and march one ray through a full grid of 4x4x4 cells.

    Returns:
        The samples' distances, which are right.

    Raises:
        RuntimeError: The extension is missing or computes something else than the four midpoints.
        Exception: Whatever torch's compiler driver raises when the build fails.
    """
    import torch
    from nerfacc.grid import traverse_grids

    device = torch.device("cuda")
    origins = torch.tensor([[-1.0, 0.5, 0.5]], device=device)
    directions = torch.tensor([[1.0, 0.0, 0.0]], device=device)
    binaries = torch.ones(1, 4, 4, 4, dtype=torch.bool, device=device)
    box = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], device=device)
    # Steps start at 0, so the box, entered at 1 and left at 2, holds the midpoints 1.125, 1.375, 1.625, 1.875.
    _, samples = traverse_grids(origins, directions, binaries, box, step_size=0.25)
    positions = samples.vals.cpu()
    expected = torch.tensor([1.125, 1.375, 1.625, 1.875])
    if positions.shape != expected.shape or not torch.allclose(positions, expected, atol=1e-5):
        raise RuntimeError(f"nerfacc's kernels give samples at {positions.tolist()}, expected {expected.tolist()}")
    return positions.tolist()
