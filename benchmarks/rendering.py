"""Pictures a second of `nerface` and of `nerface-paper`, in turns, and where the time of a picture goes.

    python benchmarks/rendering.py --data DATA/head_a --json benchmarks/results/NAME.json

`nerface` is trained for some minutes first, because what it has learned to be empty is not sampled. The recipe takes
the same time for any weights, so it is not trained; where a whole picture would take too long, a share of its rays,
evenly spread, is rendered and the rest extrapolated, and the figures say so.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tyro
from fixed_pixels import FixedPixels, render_pixels
from part_timer import PartTimer, timed_model
from stepped_training import SteppedTraining, stepped_config, synchronise

from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.model_components.view_cache import ViewCache

FRAME_PARTS = {
    "sampling_march": ("frame.render.sampling",),
    "sampling_warp": ("frame.render.sampling.networks.warp",),
    "sampling_grid": ("frame.render.sampling.networks.grid",),
    "sampling_networks": ("frame.render.sampling.networks",),
    "warp": ("frame.render.networks.warp",),
    "grid": ("frame.render.networks.grid",),
    "networks": ("frame.render.networks",),
    "compositing": ("frame.render",),
    "rays_and_rest": ("frame",),
}
"""Paths of the timer that make each part of a picture."""


@dataclass
class Rendering:
    """Train, then render in turns."""

    json: Path
    """File for the figures."""
    data: Path | None = None
    """A dataset in NerFace's format; the embedded head without it."""
    resolution: int | None = None
    """Image height of the training in pixels; as stored without it."""
    minutes: float = 2.0
    """Training time of `nerface`."""
    sizes: tuple[int, ...] = (256, 512)
    """Heights of the pictures in pixels."""
    frames: int = 4
    """Frames of the test split that are rendered, evenly spread."""
    paper_most_rays: int = 0 if torch.cuda.is_available() else 4096
    """Rays of a picture that the recipe renders at most; 0 for whole pictures."""
    sharp_radius: float = 0.2
    """Radius of the sharp part of foveated pictures, in lengths of the scene box."""
    seed: int = 42
    """Seed of the training."""


def scaled_camera(camera: Any, height: int) -> Any:
    """Return a camera whose picture has another height and shows the same."""
    scaled = camera[...]
    factor = height / int(camera.height.flatten()[0])
    scaled.rescale_output_resolution(factor)
    return scaled


def spread_pixels(count: int, most: int) -> torch.Tensor | None:
    """Return pixels, evenly spread over a picture of so many, no more than `most`; None for all."""
    if not 0 < most < count:
        return None
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long()


def seconds_of(work: Callable[[], Any]) -> float:
    """Time a call, what it queues on a GPU included."""
    synchronise()
    start = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - start


def size_figures(own_s: list[float], recipe_s: list[float], share: float) -> dict[str, Any]:
    """Return frames a second and their ratio.

    Args:
        own_s: Seconds of pictures of `nerface`.
        recipe_s: Seconds of the recipe for a share of each picture's rays.
        share: That share.
    """
    own, recipe = statistics.median(own_s), statistics.median(recipe_s) / share
    return {
        "nerface": {"seconds_a_frame": own, "frames_per_s": 1 / own, "seconds": own_s},
        "nerface-paper": {
            "seconds_a_frame": recipe,
            "frames_per_s": 1 / recipe,
            "is_extrapolated": share < 1,
            "share_of_rays_rendered": share,
            "seconds_of_that_share": recipe_s,
        },
        "speedup": recipe / own,
    }


def still_camera_figures(model: Any, cameras: list[Any]) -> dict[str, Any]:
    """Time pictures from one place with different expressions, with what they have in common kept and made anew.

    Args:
        model: Of `nerface`.
        cameras: The first one's place, and all their expressions.
    """
    kept, anew = model.views, ViewCache(0)
    pictures = [dataclasses.replace(cameras[0], metadata=camera.metadata).to(model.device) for camera in cameras]
    model.get_outputs_for_camera(pictures[0])

    def choose(cache: ViewCache) -> None:
        """Use a cache from now on."""
        model.views = cache

    figures = in_turns(model, pictures, {"kept": partial(choose, kept), "anew": partial(choose, anew)})
    model.views = kept
    return figures


def foveated_figures(model: Any, cameras: list[Any], radius: float) -> dict[str, Any]:
    """Time pictures that are sharp on the face only, beside whole ones.

    Args:
        model: Of `nerface`.
        cameras: Of the pictures.
        radius: Of the sharp part.
    """

    def choose(chosen: float) -> None:
        """Render with a radius, and nothing kept of the picture before."""
        model.views, model.foveation.radius = ViewCache(0), chosen

    kept, pictures = (model.views, model.foveation.radius), [camera.to(model.device) for camera in cameras]
    figures = in_turns(model, pictures, {"foveated": partial(choose, radius), "whole": partial(choose, 0.0)})
    model.views, model.foveation.radius = kept
    return {**figures, "radius": radius, "block": model.foveation.block}


def in_turns(model: Any, pictures: list[Any], ways: dict[str, Callable[[], None]]) -> dict[str, Any]:
    """Time each picture in two ways, each time in the other order.

    Args:
        model: Renders them.
        pictures: Their cameras.
        ways: What to do before each picture of a way, which is not timed.

    Returns:
        The median of both, and how much quicker the first one is.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number, picture in enumerate(pictures):
        for name in list(ways) if number % 2 == 0 else list(ways)[::-1]:
            ways[name]()
            seconds[name].append(seconds_of(partial(model.get_outputs_for_camera, picture)))
    medians = {f"seconds_a_frame_{name}": statistics.median(values) for name, values in seconds.items()}
    quick, slow = medians.values()
    return {**medians, "speedup": slow / quick}


def frame_parts_ms(timer: PartTimer, frames: int) -> dict[str, float]:
    """Return the milliseconds a picture of each part."""
    return {name: 1000 * sum(timer.seconds[path] for path in paths) / frames for name, paths in FRAME_PARTS.items()}


def main(command: Rendering) -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as work:
        record = measure(command, Path(work))
    write_json(command.json, {**record, **run_record()})
    for size, row in record["sizes"].items():
        print(size, f"{row['nerface']['frames_per_s']:.2f} frames/s, {row['speedup']:.0f} times nerface-paper's")


@torch.no_grad()
def measure(command: Rendering, work: Path) -> dict[str, Any]:
    """Return the figures."""
    own, recipe = (
        SteppedTraining(stepped_config(method, work, command.data, command.resolution, command.seed))
        for method in ("nerface", "nerface-paper")
    )
    with torch.enable_grad():
        own.run(until_s=60 * command.minutes)
    for training in (own, recipe):
        training.pipeline.eval()
    pixels = FixedPixels(own.pipeline, "test", command.frames, 0)
    sizes = {size: _measure_size(own.model, recipe.model, pixels.cameras, size, command) for size in command.sizes}
    return {
        "sizes": sizes,
        "nerface_steps": own.steps,
        "nerface_psnr": pixels.psnr(own.model),
        "settings": {
            "data": "demo" if command.data is None else command.data.resolve().name,
            "trained_resolution": command.resolution,
            "minutes": command.minutes,
            "frames": pixels.frame_names,
            "nerface-paper": "untrained, all its samples evaluated",
        },
    }


def _measure_size(own: Any, recipe: Any, cameras: list[Any], size: int, command: Rendering) -> dict[str, Any]:
    """Render each camera with both, in turns and each time in the other order."""
    scaled = [scaled_camera(camera, size) for camera in cameras]
    count = int(scaled[0].height[0]) * int(scaled[0].width[0])
    some = spread_pixels(count, command.paper_most_rays)
    render_pixels(own, scaled[0], None)
    render_pixels(recipe, scaled[0], spread_pixels(count, 64))
    own_s, recipe_s = [], []
    for number, camera in enumerate(scaled):
        turns = [
            lambda camera=camera: own_s.append(seconds_of(lambda: own.get_outputs_for_camera(camera.to(own.device)))),
            lambda camera=camera: recipe_s.append(seconds_of(lambda: render_pixels(recipe, camera, some))),
        ]
        for turn in turns if number % 2 == 0 else turns[::-1]:
            turn()
    timer = PartTimer()
    samples = []
    with timed_model(own, timer):
        for camera in scaled:
            outputs = timer.wrap("frame", own.get_outputs_for_camera)(camera.to(own.device))
            samples.append(float(outputs["num_samples_per_ray"].mean()))
    asked = timer.points["frame.render.sampling.networks"] / (len(scaled) * count)
    return {
        **size_figures(own_s, recipe_s, 1.0 if some is None else len(some) / count),
        "still_camera": still_camera_figures(own, scaled),
        "foveated": foveated_figures(own, scaled, command.sharp_radius),
        "parts_ms": frame_parts_ms(timer, len(scaled)),
        "samples_per_ray": statistics.mean(samples),
        "queries_per_ray_while_sampling": asked,
    }


if __name__ == "__main__":
    main(tyro.cli(Rendering))
