import shutil
import sys
from types import SimpleNamespace

import pytest
import torch

from nerface_ns.doctor import nerfacc_extension, torch_checks
from nerface_ns.doctor.torch_checks import check_cuda_device, check_nerfacc, check_torchvision


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def with_gpu(monkeypatch):
    """A machine with a device and a toolkit, as far as nerfacc's check can see."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(nerfacc_extension, "enable_nerfacc_compat", lambda: True)
    monkeypatch.setattr(nerfacc_extension, "is_built", lambda: True)
    monkeypatch.setattr(nerfacc_extension, "traverse_small_grid", lambda: None)
    monkeypatch.setattr(nerfacc_extension, "toolkit_root", lambda: "toolkit")
    monkeypatch.setattr(nerfacc_extension, "missing_libraries", lambda root: [])


def test_installed_pair_fits():
    result = check_torchvision()
    assert (result.status, result.fix) == ("ok", None)
    assert torch.__version__ in result.detail


def mismatched() -> list[int]:
    raise RuntimeError("operator torchvision::nms does not exist")


def test_torchvision_of_another_build(monkeypatch):
    monkeypatch.setattr(torch_checks, "_two_boxes_kept", mismatched)
    monkeypatch.setattr(torch, "__version__", "2.9.0+cpu")
    result = check_torchvision()
    assert result.status == "fail"
    assert "torchvision::nms" in result.detail
    assert result.remedy.endswith("pip install --upgrade --force-reinstall 'torch!=2.9.0+cpu' torchvision")


def test_cpu_build_first_tries_its_own_index(monkeypatch):
    calls = []

    def install(*arguments):
        calls.append(arguments)
        if "--index-url" in arguments:
            raise RuntimeError("no route to host")
        return "installed"

    monkeypatch.setattr(torch_checks, "pip_install", install)
    assert torch_checks._install_matching_torchvision("2.9.0+cpu") == "installed"
    assert [call[-1] for call in calls] == [torch_checks.CPU_BUILD_INDEX, "torchvision"]


def test_torchvision_that_computes_wrongly(monkeypatch):
    monkeypatch.setattr(torch_checks, "_two_boxes_kept", lambda: [0, 1])
    result = check_torchvision()
    assert result.status == "fail"
    assert "keeps boxes [0, 1], expected [0]" in result.detail


def test_missing_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert check_torchvision().status == "fail"


def test_no_device_is_no_failure(monkeypatch, without_gpu):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    result = check_cuda_device()
    assert (result.status, result.remedy) == ("warn", "")
    assert "CPU" in result.detail


def test_driver_without_device_names_the_remedy(monkeypatch, without_gpu):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    result = check_cuda_device()
    assert result.status == "warn"
    assert "built for CUDA 13.2" in result.detail
    assert "driver" in result.remedy


def test_device_that_does_not_compute(monkeypatch):
    def no_kernel(*args, **kwargs):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", no_kernel)
    result = check_cuda_device()
    assert result.status == "fail"
    assert "no kernel image" in result.detail


def test_device_that_computes(monkeypatch):
    cpu_ones = torch.ones(8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *args, **kwargs: cpu_ones)
    properties = SimpleNamespace(name="Card", total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    result = check_cuda_device()
    assert result.status == "ok"
    assert result.detail.startswith("Card, 24 GiB, CUDA ")


def test_nerfacc_is_not_needed_without_a_device(without_gpu):
    assert check_nerfacc().status == "ok"


def test_nerfacc_built_and_run(with_gpu):
    result = check_nerfacc()
    assert (result.status, result.detail) == ("ok", "kernels built and run, with the CUDA 13 header")


def test_nerfacc_that_computes_wrongly_can_be_rebuilt(monkeypatch, with_gpu):
    def wrong():
        raise RuntimeError("nerfacc's kernels give samples at [0.0]")

    monkeypatch.setattr(nerfacc_extension, "traverse_small_grid", wrong)
    result = check_nerfacc()
    assert (result.status, result.fix) == ("warn", torch_checks.build_nerfacc)
    assert "samples at [0.0]" in result.detail


def test_nerfacc_not_built_yet(monkeypatch, with_gpu):
    monkeypatch.setattr(nerfacc_extension, "is_built", lambda: False)
    result = check_nerfacc()
    assert (result.status, result.fix) == ("warn", torch_checks.build_nerfacc)


def test_nerfacc_without_a_compiler(monkeypatch, with_gpu):
    monkeypatch.setattr(nerfacc_extension, "is_built", lambda: False)
    monkeypatch.setattr(nerfacc_extension, "toolkit_root", lambda: None)
    result = check_nerfacc()
    assert (result.status, result.fix) == ("warn", None)
    assert "nvcc" in result.remedy


@pytest.mark.parametrize(("major", "package"), [(12, "nvidia-curand-cu12"), (13, "nvidia-curand")])
def test_nerfacc_without_a_librarys_headers(monkeypatch, with_gpu, major, package):
    monkeypatch.setattr(nerfacc_extension, "is_built", lambda: False)
    monkeypatch.setattr(nerfacc_extension, "missing_libraries", lambda root: ["curand"])
    monkeypatch.setattr(nerfacc_extension, "cuda_major", lambda: major)
    result = check_nerfacc()
    assert (result.status, result.remedy) == ("warn", f"pip install {package}")


def test_nerfacc_is_built_in_a_new_process(monkeypatch):
    commands = []
    monkeypatch.setattr(nerfacc_extension, "remove_build", lambda: True)
    monkeypatch.setattr(torch_checks, "run_command", lambda command, timeout_s: commands.append(command))
    assert torch_checks.build_nerfacc() == "built nerfacc's kernels, after removing the earlier build"
    assert commands[0][:2] == [sys.executable, "-c"]
    compile(commands[0][2], "program", "exec")


@pytest.mark.gpu
def test_kernels_march_through_the_small_grid():
    nerfacc_extension.enable_nerfacc_compat()
    assert nerfacc_extension.traverse_small_grid() == pytest.approx([1.125, 1.375, 1.625, 1.875])
