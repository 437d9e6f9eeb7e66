"""Trainings on a tiny head, each in a child process that can be killed, for `trust.py`."""

from __future__ import annotations

import copy
import os
import random
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nerfstudio.plugins.types import MethodSpecification

from nerface_ns.configs import method_configs
from nerface_ns.data.patch_pixel_sampler import PatchPixelSamplerConfig
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence

SEED = 42
METHODS: dict[str, Any] = {
    value.config.method_name: value.config
    for value in vars(method_configs).values()
    if isinstance(value, MethodSpecification)
}
EVERYTHING = "nerface with refined cameras, corrections, a dropped field, patches and gathered gradients"
"""A case beside the methods."""


def in_child(work: Callable[[], None]) -> int:
    """Start a forked process, which has all imports but shares nothing else; returns its id.

    This process must not have computed anything: threads do not live on in a fork.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        work()
        status = 0
    except SystemExit as ended:
        print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def run_in_child(work: Callable[[], None]) -> int:
    """Do something in a forked process; returns its exit status, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(in_child(work), 0)[1])


def write_head(folder: Path, num_train: int = 12, size: int = 32) -> Path:
    """Render the demo's head, small, in a process of its own."""
    config = DemoSequenceConfig(size, num_train, num_val=2, num_test=2, num_nvs=0, samples=1, mesh_density=0.2)

    def write() -> None:
        write_demo_sequence(folder, config)

    if run_in_child(write) != 0:
        raise RuntimeError(f"{folder}: the demo's head could not be rendered")
    return folder


def tiny_config(case: str, head: Path, output_dir: Path, num_steps: int) -> Any:
    """Return the configuration of a short training without viewer.

    Args:
        case: A method, or `EVERYTHING`.
        head: The data.
        output_dir: Where runs go; the run's folder has no time in its name.
        num_steps: Steps of the whole training.
    """
    config = copy.deepcopy(METHODS.get(case, METHODS["nerface"]))
    config.data = config.pipeline.datamanager.data = head
    config.output_dir, config.timestamp, config.vis = output_dir, "run", "tensorboard"
    config.machine.device_type, config.max_num_iterations = "cpu", num_steps
    config.logging.local_writer.enable = False
    config.steps_per_eval_all_images = 0
    config.pipeline.datamanager.train_num_rays_per_batch = config.pipeline.datamanager.eval_num_rays_per_batch = 64
    if case == EVERYTHING:
        model = config.pipeline.model
        model.camera_refinement.enabled = model.expression_corrections.enabled = True
        model.camera_refinement.freeze_steps = 10
        model.refine_schedule.pretrain_share, model.refine_schedule.rest_steps = 0.25, 5
        model.max_num_steps = num_steps
        sampler = PatchPixelSamplerConfig(patches_from_step=num_steps // 3, patch_size=6)
        config.pipeline.datamanager.pixel_sampler = sampler
        config.gradient_accumulation_steps = {"latent_codes": 3}
    return config


def with_small_grids(config: Any) -> Any:
    """Make the grids of `nerface` small, so that steps and checkpoints take milliseconds."""
    field = config.pipeline.model.radiance_field
    field.canonical_grid.resolutions = field.deformation.grid.resolutions = (8, 16)
    return config


def make_trainer(config: Any) -> Any:
    """Set a trainer up as `ns-train` does in one process."""
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    return trainer


def checkpoints_of(output_dir: Path) -> Path:
    """Return the folder of the only run's checkpoints below a folder."""
    return next(output_dir.rglob("nerfstudio_models"))


def is_same(found: Any, expected: Any) -> bool:
    """Whether two states are the same to the last bit, in any nesting."""
    if isinstance(expected, torch.Tensor):
        return torch.equal(found, expected)
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(is_same(found[name], expected[name]) for name in expected)
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(is_same, found, expected))
    return found == expected
