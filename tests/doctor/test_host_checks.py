import os
import shutil
from types import SimpleNamespace

import numba
import psutil
import pytest
import torch

from nerface_ns.doctor import host_checks
from nerface_ns.doctor.host_checks import GIB, check_disk, check_memory, check_numba, check_processor

SIZES = [(0.2, "fail"), (2.0, "warn"), (80.0, "ok")]


@pytest.fixture
def own_folders(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(("free_gib", "status"), SIZES)
def test_disk_is_rated_by_free_space(monkeypatch, own_folders, free_gib, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free_gib * GIB))
    result = check_disk()
    assert result.status == status
    assert result.detail.startswith(f"{free_gib:.1f} GiB free in {own_folders}")


def test_disk_that_cannot_be_written(monkeypatch, own_folders):
    def read_only(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(host_checks.tempfile, "TemporaryFile", read_only)
    result = check_disk()
    assert (result.status, result.detail) == ("fail", f"cannot write to {own_folders}: Read-only file system")


@pytest.mark.parametrize(("free_gib", "status"), SIZES)
def test_memory_is_rated_by_what_is_available(monkeypatch, free_gib, status):
    memory = SimpleNamespace(available=int(free_gib * GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(host_checks, "container_memory_left", lambda: None)
    assert check_memory().status == status


def test_container_limit_counts(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text(f"{3 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{2 * GIB}\n")
    monkeypatch.setattr(host_checks, "CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GIB))
    result = check_memory()
    assert (result.status, result.detail.split(",")[0]) == ("fail", "1.0 GiB available (the container's limit)")


def test_container_without_limit(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    monkeypatch.setattr(host_checks, "CGROUP", tmp_path)
    assert host_checks.container_memory_left() is None


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch, "set_flush_denormal", lambda flush: True)


def test_processor(two_cores):
    result = check_processor()
    assert (result.status, result.detail) == ("ok", "2 usable cores, torch uses 2 threads, denormals are flushed")


def test_processor_that_keeps_denormals(monkeypatch, two_cores):
    monkeypatch.setattr(torch, "set_flush_denormal", lambda flush: False)
    assert check_processor().status == "warn"


def test_more_threads_than_cores(monkeypatch, two_cores):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    result = check_processor()
    assert (result.status, result.remedy) == ("warn", "set OMP_NUM_THREADS=2")


def test_numba_compiles():
    assert check_numba().detail == f"numba {numba.__version__} compiles"


def test_numba_that_computes_wrongly(monkeypatch):
    monkeypatch.setattr(numba, "njit", lambda function: lambda count: 0)
    result = check_numba()
    assert result.status == "fail"
    assert "to 0, expected 385" in result.detail
