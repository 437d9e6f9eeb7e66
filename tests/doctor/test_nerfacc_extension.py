import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from nerface_ns.doctor import nerfacc_extension
from nerface_ns.doctor.nerfacc_extension import (
    COMPATIBILITY_HEADER,
    enable_nerfacc_compat,
    is_built,
    missing_libraries,
    remove_build,
    toolkit_root,
)
from nerface_ns.model_components import nerfacc_cuda

VARIABLES = ("CUDA_HOME", "CUDA_PATH", "NVCC_PREPEND_FLAGS", "CPATH", "PATH")


@pytest.fixture
def environment(monkeypatch):
    """No toolkit; what a test sets in the environment is taken back."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setattr(nerfacc_extension, "_torch_include_dirs", lambda: [])
    monkeypatch.delitem(sys.modules, "torch.utils.cpp_extension", raising=False)
    return monkeypatch


@pytest.fixture
def toolkit(tmp_path):
    """A toolkit with a compiler and every library's header."""
    root = tmp_path / "cuda-13"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "nvcc").touch(mode=0o755)
    (root / "include").mkdir()
    for header in ("cuda_runtime.h", *nerfacc_extension.LIBRARY_HEADERS):
        (root / "include" / header).touch()
    return root


def test_toolkit_behind_a_linked_compiler(environment, toolkit, tmp_path):
    """`/usr/bin/nvcc` may be a link: the toolkit is where it leads."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvcc").symlink_to(toolkit / "bin" / "nvcc")
    environment.setenv("PATH", str(tmp_path / "bin"))
    assert toolkit_root() == toolkit


def test_named_toolkit_comes_before_the_path(environment, toolkit):
    environment.setenv("CUDA_HOME", str(toolkit))
    environment.setattr(shutil, "which", lambda name: "/elsewhere/bin/nvcc")
    assert toolkit_root() == toolkit


def test_compiler_without_headers_is_no_toolkit(environment, toolkit):
    shutil.rmtree(toolkit / "include")
    environment.setenv("CUDA_HOME", str(toolkit))
    environment.setattr(shutil, "which", lambda name: None)
    assert toolkit_root() != toolkit


def test_cuda_13_gets_the_header(environment, toolkit):
    environment.setenv("CUDA_HOME", str(toolkit))
    environment.setenv("NVCC_PREPEND_FLAGS", "-lineinfo")
    environment.setattr(torch.version, "cuda", "13.2")
    assert enable_nerfacc_compat()
    assert enable_nerfacc_compat()
    assert os.environ["NVCC_PREPEND_FLAGS"] == f"-include {COMPATIBILITY_HEADER} -lineinfo"
    assert os.environ["CUDA_HOME"] == str(toolkit)
    assert str(toolkit / "bin") in os.environ["PATH"].split(os.pathsep)
    assert "CPATH" not in os.environ


def test_cuda_12_needs_no_header(environment, toolkit):
    environment.setenv("CUDA_HOME", str(toolkit))
    environment.setattr(torch.version, "cuda", "12.8")
    assert not enable_nerfacc_compat()
    assert "NVCC_PREPEND_FLAGS" not in os.environ


@pytest.mark.parametrize("cuda", [None, "13.2"])
def test_nothing_changes_without_a_toolkit_or_cuda(environment, cuda):
    environment.setattr(torch.version, "cuda", cuda)
    environment.setattr(nerfacc_extension, "toolkit_root", lambda: None)
    before = dict(os.environ)
    assert not enable_nerfacc_compat()
    assert dict(os.environ) == before


def test_headers_that_the_toolkit_lacks_come_from_torchs_packages(environment, toolkit, tmp_path):
    (toolkit / "include" / "curand.h").unlink()
    (toolkit / "include" / "cusparse.h").unlink()
    packages = tmp_path / "nvidia" / "cu13" / "include"
    packages.mkdir(parents=True)
    (packages / "curand.h").touch()
    environment.setenv("CUDA_HOME", str(toolkit))
    environment.setattr(torch.version, "cuda", "13.2")
    environment.setattr(nerfacc_extension, "_torch_include_dirs", lambda: [packages])
    assert missing_libraries(toolkit) == ["cusparse"]
    assert enable_nerfacc_compat()
    assert os.environ["CPATH"] == str(packages)


def test_header_is_shipped_and_guarded():
    text = COMPATIBILITY_HEADER.read_text()
    assert text.index("#if defined(__cplusplus)") < text.index("struct Equality") < text.index("#define lerp")
    assert text.index("#include <torch/extension.h>") < text.index("#define lerp")


def test_build_is_found_and_removed(monkeypatch, tmp_path):
    folder = tmp_path / "nerfacc_cuda"
    folder.mkdir()
    monkeypatch.setattr(nerfacc_extension, "build_dir", lambda: folder)
    assert not is_built()
    (folder / "nerfacc_cuda.so").touch()
    assert is_built()
    assert remove_build()
    assert not folder.exists()


def test_empty_build_folder_is_nothing_to_remove(monkeypatch, tmp_path):
    folder = tmp_path / "nerfacc_cuda"
    folder.mkdir()
    monkeypatch.setattr(nerfacc_extension, "build_dir", lambda: folder)
    assert not remove_build()


@pytest.fixture
def fresh_answer():
    """Forget the process's answer before and after a test."""
    nerfacc_cuda.cuda_kernels_error.cache_clear()
    yield
    nerfacc_cuda.cuda_kernels_error.cache_clear()


def test_kernels_need_a_device(monkeypatch, fresh_answer):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert nerfacc_cuda.cuda_kernels_error() == "no CUDA device"
    assert not nerfacc_cuda.cuda_kernels_available()


def test_failed_build_is_tried_once_per_process(monkeypatch, fresh_answer):
    attempts = []

    def build():
        attempts.append(Path.cwd())
        raise RuntimeError("Error building extension 'nerfacc_cuda'\nmany lines")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(nerfacc_cuda, "enable_nerfacc_compat", lambda: True)
    monkeypatch.setattr(nerfacc_cuda, "traverse_small_grid", build)
    assert not nerfacc_cuda.cuda_kernels_available()
    assert nerfacc_cuda.cuda_kernels_error() == "RuntimeError: Error building extension 'nerfacc_cuda'"
    assert len(attempts) == 1


def test_kernels_that_run_are_used(monkeypatch, fresh_answer):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(nerfacc_cuda, "enable_nerfacc_compat", lambda: False)
    monkeypatch.setattr(nerfacc_cuda, "traverse_small_grid", lambda: None)
    assert nerfacc_cuda.cuda_kernels_available()
