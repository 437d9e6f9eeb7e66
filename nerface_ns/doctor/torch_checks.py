"""torch with torchvision, the CUDA device, and nerfacc's kernels on it."""

import shutil
import sys

from nerface_ns.doctor import nerfacc_extension
from nerface_ns.doctor.check import CheckResult, first_line, pip_command, pip_install, run_command

CPU_BUILD_INDEX = "https://download.pytorch.org/whl/cpu"

FALLBACK = "training uses the slower torch sampler"


def check_torchvision() -> CheckResult:
    """Check that torch and torchvision are builds that belong together, by calling one of torchvision's operators."""
    import torch

    try:
        import torchvision

        kept = _two_boxes_kept()
    except Exception as error:
        return CheckResult(
            "fail",
            f"torch {torch.__version__} and the installed torchvision do not fit: {first_line(error)}",
            "install both from one index: " + pip_command(*_matching_pair(torch.__version__)),
            lambda: _install_matching_torchvision(torch.__version__),
        )
    detail = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    if kept != [0]:
        return CheckResult("fail", f"{detail}: non-maximum suppression keeps boxes {kept}, expected [0]")
    return CheckResult("ok", detail)


def _two_boxes_kept() -> list[int]:
    """Return which of two boxes torchvision's compiled operator keeps; they overlap by 0.81, the first scores more."""
    import torch
    from torchvision.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 9.0, 9.0]])
    return nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist()


def _matching_pair(torch_version: str) -> list[str]:
    """Return pip's arguments that replace both packages by a pair from the user's own index.

    A CPU build (`2.9.0+cpu`) is excluded by name: it came from another index than torchvision did.
    """
    torch_requirement = f"torch!={torch_version}" if torch_version.endswith("+cpu") else "torch"
    return ["--upgrade", "--force-reinstall", torch_requirement, "torchvision"]


def _install_matching_torchvision(torch_version: str) -> str:
    """Fit torchvision to a CPU build of torch where its index can be reached, else replace both."""
    if torch_version.endswith("+cpu"):
        try:
            return pip_install("--force-reinstall", "--no-deps", "torchvision", "--index-url", CPU_BUILD_INDEX)
        except RuntimeError:
            pass  # Not reachable from here: the pair below comes from the index that pip is set up for.
    return pip_install(*_matching_pair(torch_version))


def check_cuda_device() -> CheckResult:
    """Check for a CUDA device that computes; without one training runs on the CPU."""
    import torch

    if torch.cuda.is_available():
        try:
            total = int(torch.ones(8, device="cuda").sum())
        except RuntimeError as error:
            remedy = "install a torch whose CUDA build covers this device and driver"
            return CheckResult("fail", f"a device is there but does not compute: {first_line(error)}", remedy)
        if total != 8:
            return CheckResult("fail", f"a device is there but sums eight ones to {total}")
        properties = torch.cuda.get_device_properties(0)
        memory_gib = properties.total_memory / 2**30
        return CheckResult("ok", f"{properties.name}, {memory_gib:.0f} GiB, CUDA {torch.version.cuda}")
    if torch.backends.mps.is_available():
        return CheckResult("ok", "no CUDA, Apple's Metal device instead")
    if shutil.which("nvidia-smi") is None:
        return CheckResult("warn", "no CUDA device: training runs on the CPU, with smaller default settings")
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only"
    return CheckResult(
        "warn",
        f"an NVIDIA driver is there, but torch (built for {built_for}) sees no device",
        "update the driver, or install a torch built for the CUDA version that `nvidia-smi` shows",
    )


def check_nerfacc() -> CheckResult:
    """Check nerfacc's CUDA kernels on a small grid; never builds them by itself, which takes minutes."""
    import torch

    if not torch.cuda.is_available():
        return CheckResult("ok", "not needed: without CUDA the package's own sampler is used")
    compatibility = nerfacc_extension.enable_nerfacc_compat()
    if not nerfacc_extension.is_built():
        return _unbuilt_nerfacc()
    try:
        nerfacc_extension.traverse_small_grid()
    except Exception as error:
        remedy = "build them again: nerface-doctor --fix"
        return CheckResult("warn", f"nerfacc's kernels fail: {first_line(error)}; {FALLBACK}", remedy, build_nerfacc)
    return CheckResult("ok", "kernels built and run" + (", with the CUDA 13 header" if compatibility else ""))


def _unbuilt_nerfacc() -> CheckResult:
    """Say what building nerfacc's kernels still needs."""
    import torch

    root = nerfacc_extension.toolkit_root()
    if root is None:
        remedy = f"install the CUDA toolkit {torch.version.cuda} (nvcc) and set CUDA_HOME"
        return CheckResult("warn", f"nerfacc's kernels cannot be built: no nvcc; {FALLBACK}", remedy)
    missing = nerfacc_extension.missing_libraries(root)
    if missing:
        detail = f"nerfacc's kernels cannot be built: no headers of {', '.join(missing)}; {FALLBACK}"
        suffix = "-cu12" if nerfacc_extension.cuda_major() == 12 else ""
        packages = [f"nvidia-{library}{suffix}" for library in missing]
        return CheckResult("warn", detail, pip_command(*packages), lambda: pip_install(*packages))
    detail = "nerfacc's kernels are not built yet; the first training step does it and takes minutes"
    return CheckResult("warn", detail, "build them now: nerface-doctor --fix", build_nerfacc)


def build_nerfacc() -> str:
    """Build nerfacc's extension from scratch in a process of its own (a failed import cannot be repeated in one)."""
    removed = nerfacc_extension.remove_build()
    program = (
        "from nerface_ns.doctor.nerfacc_extension import enable_nerfacc_compat, traverse_small_grid\n"
        "enable_nerfacc_compat()\n"
        "traverse_small_grid()\n"
    )
    run_command([sys.executable, "-c", program], timeout_s=3600)
    return "built nerfacc's kernels" + (", after removing the earlier build" if removed else "")
