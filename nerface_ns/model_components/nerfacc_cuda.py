"""Whether nerfacc's CUDA kernels can be used in this process."""

from functools import lru_cache
from typing import Optional

from nerface_ns.doctor.check import first_line
from nerface_ns.doctor.nerfacc_extension import enable_nerfacc_compat, traverse_small_grid


@lru_cache(maxsize=1)
def cuda_kernels_error() -> Optional[str]:
    """Build nerfacc's extension if need be, run it once, and say why it does not work; None when it does.

    The first call on a machine compiles for minutes; later ones load what was built, and within one process the
    answer is kept.
    """
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device"
    try:
        enable_nerfacc_compat()
        traverse_small_grid()
    except Exception as error:  # compiler, loader and driver each raise their own class
        return first_line(error)
    return None


def cuda_kernels_available() -> bool:
    """Return whether nerfacc's CUDA kernels build and compute on this machine."""
    return cuda_kernels_error() is None
