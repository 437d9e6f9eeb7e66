"""A pipeline of a few numbers with every kind of tensor that the package's models have."""

from __future__ import annotations

import torch
from torch import nn

NUM_FRAMES = 4


class ToyField(nn.Module):
    """A network, a grid, a box; a layer that is never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 3)
        self.grid = nn.Module()
        self.grid.table = nn.Parameter(torch.rand(5))
        self.grid.register_buffer("offsets", torch.arange(2))
        self.unused = nn.Linear(1, 1).requires_grad_(False)
        self.register_buffer("aabb", torch.zeros(2, 3))


class ToyModel(nn.Module):
    """Field, occupancy, codes, cameras, ranges."""

    def __init__(self, num_frames: int, with_cameras: bool) -> None:
        super().__init__()
        self.device_indicator_param = nn.Parameter(torch.empty(0))
        self.field = ToyField()
        self.occupancy = nn.Module()
        self.occupancy.register_buffer("occs", torch.rand(6))
        self.latent_codes = nn.Module()
        self.latent_codes.codes = nn.Parameter(torch.rand(num_frames, 2))
        self.expression_encoding = nn.Module()
        self.expression_encoding.register_buffer("mean", torch.rand(3))
        if with_cameras:
            self.camera_optimizer = nn.Module()
            self.camera_optimizer.poses = nn.Parameter(torch.rand(num_frames, 6))
            self.camera_optimizer.register_buffer("tracked", torch.rand(num_frames, 12))


class ToyPipeline(nn.Module):
    """Holds the model as nerfstudio's pipelines do."""

    def __init__(self, num_frames: int = NUM_FRAMES, with_cameras: bool = True, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self._model = ToyModel(num_frames, with_cameras)

    def get_param_groups(self) -> dict[str, list[nn.Parameter]]:
        model = self._model
        groups = {
            "networks": list(model.field.net.parameters()),
            "grids": [model.field.grid.table],
            "latent_codes": [model.latent_codes.codes],
        }
        if hasattr(model, "camera_optimizer"):
            groups["cameras"] = [model.camera_optimizer.poses]
        return groups


def checkpoint_of(pipeline: ToyPipeline) -> dict:
    """What a trainer would save of it."""
    groups = pipeline.get_param_groups()
    return {"step": 7, "pipeline": pipeline.state_dict(), "optimizers": {name: {"state": {}} for name in groups}}
