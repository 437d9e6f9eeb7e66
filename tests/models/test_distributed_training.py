"""Training in several processes, at the level that nerfstudio 1.1.5 allows without GPUs.

Its launcher (`nerfstudio/scripts/train.py`, `_distributed_worker`) asserts that CUDA is available and counts CUDA
devices, and its pipeline names a device to `DistributedDataParallel` that a CPU does not have. So what two processes
share is tested here: the model inside `DistributedDataParallel(find_unused_parameters=True)`, as the pipeline wraps it.
"""

from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from blob_model import make_model, train_rays
from torch.nn.parallel import DistributedDataParallel

from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.model_components.occupancy import FaceOccupancyGridConfig

NUM_PROCESSES = 2


def small_model():
    torch.manual_seed(0)
    deformation = BilinearDeformationConfig(grid=FeatureGridConfig(resolutions=(4,)), width=8)
    grid = FeatureGridConfig(resolutions=(4, 8))
    field = WarpedGridFieldConfig(canonical_grid=grid, deformation=deformation, width=16)
    return make_model(
        radiance_field=field,
        occupancy=FaceOccupancyGridConfig(resolution=12),
        background=BackgroundConfig(mode="learned"),
        intervals_across_box=32,
    ).train()


def refresh_like(model, rank: int) -> None:
    """Refresh the grid as one process would, with its own random cells."""
    torch.manual_seed(100 + rank)
    model.occupancy.refresh(
        20, model.step_size, lambda positions: 1e3 * (positions[:, 0] > 0.1 * torch.randn(())).float()
    )


def loss_of(model, unwrapped, rank: int):
    """Loss of the rays that one process draws; processes share a frame and have one each of their own."""
    torch.manual_seed(rank)
    outputs = model(train_rays([0, 1 + rank], seed=rank))
    batch = {"image": torch.full_like(outputs["rgb"], 0.2), "alpha": torch.zeros_like(outputs["accumulation"])}
    return sum(unwrapped.get_loss_dict(outputs, batch).values())


def gradients_of(model) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None and p.numel()}


def train_one_step(rank: int, folder: Path) -> None:
    """What each process does."""
    meeting = {"init_method": f"file://{folder}/rendezvous", "timeout": timedelta(seconds=120)}
    dist.init_process_group("gloo", rank=rank, world_size=NUM_PROCESSES, **meeting)
    model = small_model()
    refresh_like(model, rank)
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)
    loss_of(wrapped, model, rank).backward()
    torch.save({"gradients": gradients_of(model), "buffers": dict(model.named_buffers())}, folder / f"rank_{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_train_one_model(tmp_path):
    """Gradients are the mean over both processes' rays, and both sample the grid of the first."""
    # This process is the first: a new one takes seconds to import everything again.
    other = torch.multiprocessing.get_context("spawn").Process(target=train_one_step, args=(1, tmp_path))
    other.start()
    train_one_step(0, tmp_path)
    other.join(120)
    assert other.exitcode == 0
    results = [torch.load(tmp_path / f"rank_{rank}.pt") for rank in range(NUM_PROCESSES)]
    model = small_model()
    refresh_like(model, rank=0)
    sum(loss_of(model, model, rank) / NUM_PROCESSES for rank in range(NUM_PROCESSES)).backward()
    expected = gradients_of(model)
    assert sum(gradient.abs().sum() > 0 for gradient in expected.values()) > 10
    for result in results:
        for name, gradient in expected.items():
            torch.testing.assert_close(result["gradients"][name], gradient, atol=1e-6, rtol=1e-3, msg=name)
        for name in ("occupancy.binaries", "occupancy.occs"):
            torch.testing.assert_close(result["buffers"][name], model.get_buffer(name))
