"""Programs, libraries and weights that single commands need: ffmpeg, libusb, LPIPS, the face landmarker."""

import ctypes
import hashlib
import os
import shutil
from pathlib import Path

from nerface_ns.doctor.check import CheckResult, environment_bin_dir, first_line, run_command

LIBUSB = "libusb-1.0.so.0"

LANDMARKER_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
"""Of Google's float16 bundle, version 1."""
LANDMARKER_VARIABLE = "NERFACE_FACE_LANDMARKER"
"""Environment variable that names another place of the bundle."""


def check_ffmpeg() -> CheckResult:
    """Check that `ns-render` finds an `ffmpeg` on PATH that starts."""
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        version = run_command([on_path, "-version"], timeout_s=60)[0].split("Copyright")[0].strip()
        return CheckResult("ok", f"{version} at {on_path}")
    linked = environment_bin_dir() / "ffmpeg"
    if linked.exists():
        remedy = f'activate the environment, or: export PATH="{linked.parent}:$PATH"'
        return CheckResult("warn", f"{linked} is there, but its folder is not on PATH", remedy)
    detail = "no ffmpeg on PATH: `ns-render` camera-path, interpolate and spiral refuse to start"
    try:
        bundled = bundled_ffmpeg()
    except (ImportError, RuntimeError) as error:
        return CheckResult("warn", f"{detail}; {first_line(error)}", "install ffmpeg, or: pip install imageio-ffmpeg")
    return CheckResult("warn", detail, f"link {bundled} as {linked}: nerface-doctor --fix", link_bundled_ffmpeg)


def bundled_ffmpeg() -> Path:
    """Return the ffmpeg binary that imageio-ffmpeg brings.

    Raises:
        ImportError: imageio-ffmpeg is not installed.
        RuntimeError: It has no binary for this machine.
    """
    import imageio_ffmpeg

    return Path(imageio_ffmpeg.get_ffmpeg_exe())


def link_bundled_ffmpeg() -> str:
    """Make imageio-ffmpeg's binary visible as `ffmpeg` among the running environment's commands."""
    link = environment_bin_dir() / "ffmpeg"
    link.unlink(missing_ok=True)  # Only a dangling link can stand here: the check found no ffmpeg.
    link.symlink_to(bundled_ffmpeg())
    return f"linked {link}"


def check_libusb() -> CheckResult:
    """Check for the shared library without which open3d, and so `ns-export`, does not import."""
    try:
        ctypes.CDLL(LIBUSB)
    except OSError:
        may_install = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None
        remedy = "apt-get install libusb-1.0-0" if may_install else "sudo apt-get install libusb-1.0-0"
        return CheckResult("warn", f"{LIBUSB} is missing", remedy, install_libusb if may_install else None)
    return CheckResult("ok", f"{LIBUSB} loads")


def install_libusb() -> str:
    """Install libusb with the system's package manager (as root on Debian and its relatives)."""
    run_command(["apt-get", "update"])
    run_command(["apt-get", "install", "-y", "--no-install-recommends", "libusb-1.0-0"])
    return "ran apt-get install libusb-1.0-0"


def check_lpips() -> CheckResult:
    """Check for AlexNet's weights, which LPIPS compares features of."""
    from torchvision.models import AlexNet_Weights

    weights = AlexNet_Weights.DEFAULT
    path = torch_hub_checkpoints() / Path(weights.url).name
    if path.is_file():
        return CheckResult("ok", f"AlexNet's weights at {path}")
    remedy = f"nerface-doctor --fix, or save {weights.url} as {path}"
    return CheckResult("warn", "AlexNet's weights are missing: scores come without LPIPS", remedy, download_lpips)


def torch_hub_checkpoints() -> Path:
    """Return the folder into which torch downloads weights."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def download_lpips() -> str:
    """Download AlexNet's weights (233 MB) into torch hub's cache."""
    from torchvision.models import AlexNet_Weights

    AlexNet_Weights.DEFAULT.get_state_dict(progress=False, check_hash=True)
    return f"downloaded {AlexNet_Weights.DEFAULT.url}"


def check_landmarker() -> CheckResult:
    """Check for MediaPipe's Face Landmarker bundle, with which videos of one's own are tracked."""
    path = landmarker_path()
    if not path.is_file():
        remedy = f"save {LANDMARKER_URL} as {path}, or set {LANDMARKER_VARIABLE} to where it is"
        return CheckResult("warn", f"no face landmarker model at {path}", remedy)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != LANDMARKER_SHA256:
        detail = f"{path} is another file than Google's float16 bundle 1: sha256 {digest}, expected {LANDMARKER_SHA256}"
        return CheckResult("warn", detail, f"download it again from {LANDMARKER_URL}")
    return CheckResult("ok", f"face landmarker model at {path}")


def landmarker_path() -> Path:
    """Return where the landmarker bundle is looked for."""
    named = os.environ.get(LANDMARKER_VARIABLE)
    if named:
        return Path(named)
    return cache_dir() / "models" / "face_landmarker.task"


def cache_dir() -> Path:
    """Return the folder in which this package keeps what it makes or fetches once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nerface-ns"
