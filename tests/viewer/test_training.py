"""`ns-train` with its viewer, while somebody plays with the panel."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
import torch
from page_client import PageClient
from small_runs import shrink, write_head
from tiny_viewer import leave_icons_out, stop_rendering

from nerface_ns.configs.method_configs import nerface

NUM_STEPS = 20


def train(dataset: Path, output_dir: Path, is_watched: bool) -> tuple[dict[str, Any], int]:
    """Train with the viewer, sliders moving all the time or nobody there; returns the weights and pictures made."""
    from nerfstudio.scripts.train import _set_random_seed
    from nerfstudio.utils import profiler, writer

    config = copy.deepcopy(nerface.config)
    shrink(config.pipeline.model)
    config.pipeline.model.intervals_across_box = 24
    config.pipeline.datamanager.train_num_rays_per_batch = 64
    config.data = config.pipeline.datamanager.data = dataset
    config.output_dir, config.vis, config.experiment_name = output_dir, "viewer", "head"
    config.machine.device_type, config.max_num_iterations = "cpu", NUM_STEPS
    config.viewer.quit_on_train_completion = True
    config.set_timestamp()
    config.save_config()
    _set_random_seed(config.machine.seed)
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.viewer_state.control_panel._max_res.value = 32
    num_pictures = 0
    if is_watched:
        with PageClient(trainer.viewer_state.viser_server.get_port()) as page:
            page.widget("jawOpen")
            stop = threading.Event()
            player = threading.Thread(target=play, args=(page, stop))
            player.start()
            trainer.train()
            stop.set()
            player.join()
            num_pictures = len(page.pictures)
    else:
        trainer.train()
    stop_rendering(trainer.viewer_state)
    trainer.shutdown()
    for registry in (writer.EVENT_WRITERS, writer.EVENT_STORAGE, profiler.PROFILER):
        registry.clear()
    return trainer.pipeline.state_dict(), num_pictures


def play(page: PageClient, stop: threading.Event) -> None:
    """Load frames with their codes, move sliders, colour the background."""
    page.use("Background", "colour")
    number = 0
    while not stop.is_set():
        number += 1
        page.use("jawOpen", number % 10 / 10)
        page.use("Frame", number % 5)
        time.sleep(0.02)


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    leave_icons_out(monkeypatch)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let sums have one order: two threads that a third one delays may round differently."""
    threads, kernel_threads = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    numba.set_num_threads(kernel_threads)


@pytest.mark.usefixtures("private_cache", "one_thread")
def test_the_panel_does_not_disturb_training(tmp_path: Path):
    """The same weights to the last bit, whoever plays with the sliders meanwhile."""
    write_head(tmp_path / "head", 5, 1, 1)
    alone, _ = train(tmp_path / "head", tmp_path / "alone", is_watched=False)
    watched, num_pictures = train(tmp_path / "head", tmp_path / "watched", is_watched=True)
    assert num_pictures >= 2
    assert alone.keys() == watched.keys()
    for name, value in alone.items():
        torch.testing.assert_close(watched[name], value, rtol=0, atol=0, msg=name)
