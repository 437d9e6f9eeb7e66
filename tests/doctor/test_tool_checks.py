import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from nerface_ns.doctor import tool_checks
from nerface_ns.doctor.tool_checks import (
    check_ffmpeg,
    check_landmarker,
    check_libusb,
    check_lpips,
    install_libusb,
    link_bundled_ffmpeg,
)


@pytest.fixture
def bin_dir(monkeypatch, tmp_path):
    """The environment's folder of commands, empty, and no ffmpeg on PATH."""
    monkeypatch.setattr(tool_checks, "environment_bin_dir", lambda: tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return tmp_path


@pytest.fixture
def bundled(monkeypatch, tmp_path_factory):
    """A stand-in for the binary that imageio-ffmpeg brings."""
    binary = tmp_path_factory.mktemp("bundle") / "ffmpeg-linux"
    binary.write_text("#!/bin/sh\necho 'ffmpeg version 7.1 Copyright (c) the developers'\n")
    binary.chmod(0o755)
    monkeypatch.setattr(tool_checks, "bundled_ffmpeg", lambda: binary)
    return binary


def test_ffmpeg_on_path(monkeypatch, bundled):
    monkeypatch.setattr(shutil, "which", lambda name: str(bundled))
    result = check_ffmpeg()
    assert (result.status, result.detail) == ("ok", f"ffmpeg version 7.1 at {bundled}")


def test_missing_ffmpeg_is_linked(monkeypatch, bin_dir, bundled):
    result = check_ffmpeg()
    assert (result.status, result.fix) == ("warn", link_bundled_ffmpeg)
    assert result.fix() == f"linked {bin_dir / 'ffmpeg'}"
    assert (bin_dir / "ffmpeg").resolve() == bundled
    monkeypatch.setattr(shutil, "which", lambda name: str(bin_dir / name))
    assert check_ffmpeg().status == "ok"


def test_dangling_link_is_replaced(bin_dir, bundled):
    (bin_dir / "ffmpeg").symlink_to(bin_dir / "gone")
    check_ffmpeg().fix()
    assert (bin_dir / "ffmpeg").resolve() == bundled


def test_linked_ffmpeg_off_path(bin_dir, bundled):
    (bin_dir / "ffmpeg").symlink_to(bundled)
    result = check_ffmpeg()
    assert (result.status, result.fix) == ("warn", None)
    assert str(bin_dir) in result.remedy


def test_no_ffmpeg_at_all(monkeypatch, bin_dir):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    result = check_ffmpeg()
    assert (result.status, result.fix) == ("warn", None)
    assert "pip install imageio-ffmpeg" in result.remedy


def test_ffmpeg_that_does_not_start(monkeypatch, tmp_path):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'wrong ELF class' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(broken))
    with pytest.raises(RuntimeError, match="wrong ELF class"):
        check_ffmpeg()


def test_libusb_that_loads(monkeypatch):
    monkeypatch.setattr(tool_checks.ctypes, "CDLL", lambda name: name)
    assert check_libusb().status == "ok"


@pytest.mark.parametrize(("user", "remedy", "fix"), [(0, "", install_libusb), (1000, "sudo ", None)])
def test_missing_libusb(monkeypatch, user, remedy, fix):
    def not_there(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(tool_checks.ctypes, "CDLL", not_there)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    result = check_libusb()
    assert (result.status, result.remedy) == ("warn", f"{remedy}apt-get install libusb-1.0-0")
    assert result.fix is fix


def test_libusb_is_installed_by_the_package_manager(monkeypatch):
    commands = []
    monkeypatch.setattr(tool_checks, "run_command", commands.append)
    install_libusb()
    assert [command[1] for command in commands] == ["update", "install"]
    assert commands[1][-1] == "libusb-1.0-0"


def test_lpips_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    result = check_lpips()
    expected = tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth"
    assert (result.status, result.fix) == ("warn", tool_checks.download_lpips)
    assert str(expected) in result.remedy
    expected.parent.mkdir()
    expected.touch()
    assert check_lpips().status == "ok"


def test_landmarker_is_looked_for_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.delenv(tool_checks.LANDMARKER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = check_landmarker()
    assert (result.status, result.fix) == ("warn", None)
    assert str(tmp_path / "nerface-ns" / "models" / "face_landmarker.task") in result.detail


def test_landmarker_of_other_content(monkeypatch, tmp_path):
    model = tmp_path / "model.task"
    model.write_bytes(b"half a file")
    monkeypatch.setenv(tool_checks.LANDMARKER_VARIABLE, str(model))
    result = check_landmarker()
    assert result.status == "warn"
    assert hashlib.sha256(b"half a file").hexdigest() in result.detail


def test_landmarker_found(monkeypatch, tmp_path):
    model = tmp_path / "model.task"
    model.write_bytes(b"model")
    monkeypatch.setenv(tool_checks.LANDMARKER_VARIABLE, str(model))
    monkeypatch.setattr(tool_checks, "LANDMARKER_SHA256", hashlib.sha256(b"model").hexdigest())
    assert check_landmarker().status == "ok"


def test_known_bundle_has_the_recorded_digest(shared_data):
    bundle: Path = shared_data / "models" / "face_landmarker.task"
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() == tool_checks.LANDMARKER_SHA256
