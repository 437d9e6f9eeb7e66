"""Finds pose, expression, gaze and latent code of photographs of the person of a trained run, which stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.fitting.fit_numbers import POSE_LENGTH, POSE_STEP, FitNumbers
from nerface_ns.fitting.fit_settings import FitSettings
from nerface_ns.fitting.fitted_photo import FittedPhoto, judge
from nerface_ns.fitting.landmark_start import LandmarkStart
from nerface_ns.fitting.least_squares import LeastSquares
from nerface_ns.fitting.photo import Photo
from nerface_ns.fitting.photo_lens import compared_size, photo_camera, scaled_camera
from nerface_ns.fitting.photo_view import ComparedPixels, PhotoView, Shown, lattice, smoothed
from nerface_ns.fitting.start_search import Start, find_starts
from nerface_ns.rendering.posed_camera import middle_camera
from nerface_ns.rendering.render_subject import RenderSubject

LEAST_CORRELATION = 0.35
"""Correlation of a start under which the photograph shows no face that is known."""
LEAST_FIT = 0.75
"""Correlation over the head of photograph and fit under which it is no fit."""
BLACK_BACKGROUND = 0.1
"""Brightest colour of a background that is black."""
HUBER_DELTA = 0.1
"""Colour error from which on the cost grows linearly."""
SEARCH = (32, 1.5)
"""Points along the shorter side of the lattice on which starts are compared, and the blur in its steps."""
SEARCH_ITERATIONS = 4
"""Steps from every start."""
ROUNDS = ((64, 3.0), (64, 1.0), None, None)
"""The same for each round in which all numbers are looked for; None for random pixels."""
OPACITY_POINTS = 48
"""Points of the lattice on which the head's outline is looked for."""
FLAT_SHARE = 0.2
"""Chance of a pixel without any edge to be drawn, over that of one with an average one."""
HEAD_REACH = 5
"""Pixels of the opacities' lattice around the head that are drawn from as well: an odd window."""


@dataclass(frozen=True)
class _Place:
    """Where the fit of a photograph stands."""

    view: PhotoView
    pose: Float[Tensor, "3 4"]
    numbers: Float[Tensor, " num_own"]
    """Those of the pose count from `pose`."""


class PhotoFitter:
    """Fits photographs of one person.

    Args:
        subject: The person of a trained run.
        settings: How.
        landmarks: Finds a start by landmarks too, where MediaPipe is there.
        least_fit: Correlation over the head of photograph and fit under which it is no fit.
    """

    def __init__(
        self,
        subject: RenderSubject,
        settings: FitSettings | None = None,
        landmarks: LandmarkStart | None = None,
        least_fit: float | None = None,
    ) -> None:
        self.least_fit = LEAST_FIT if least_fit is None else least_fit
        self.landmarks = landmarks
        self.subject, self.settings = subject, settings or FitSettings()
        self.settings.check()
        self.model = subject.model.eval()
        background = subject.model.background.image
        if subject.shares is not None and len(background) > 1:
            background = background[int(subject.shares.argmax())]
        self.cuts_borders = float(background.detach().max()) > BLACK_BACKGROUND
        """Whether black borders of a photo are none of its background."""
        self.numbers = FitNumbers.of(subject, self.settings.expressions)

    def fit(
        self,
        photos: Sequence[Photo],
        focal_px: float | None = None,
        step_done: Callable[[str], None] = lambda _: None,
    ) -> list[FittedPhoto]:
        """Fit photographs that share one latent code.

        Args:
            photos: At least one.
            focal_px: Their focal length in pixels, where it is known.
            step_done: Told what comes next.

        Raises:
            ValueError: A photograph shows no face that resembles the person.
        """
        begin = time.perf_counter()
        places = []
        for photo in photos:
            step_done(f"{photo.name}: looking for a start")
            places.append(self._start(photo, photo_camera(self.subject.own_camera, *photo.size, focal_px)))
        code = self.numbers.code.encode(self._unseen_code(places[0].numbers))
        for number, lattice_and_blur in enumerate(ROUNDS):
            step_done(f"round {number + 1} of {len(ROUNDS)}")
            places, code = self._round(places, code, lattice_and_blur, number)
        fitted = [judge(self.model, place.view, self._shown(place, code)) for place in places]
        seconds = (time.perf_counter() - begin) / len(photos)
        for result in fitted:
            result.figures["seconds"] = round(seconds, 3)
            if result.figures["correlation"] < self.least_fit:
                raise ValueError(
                    f"{result.view.photo.name}: expected a photo of the person of this run; the best fit's head and "
                    f"the photo correlate by {result.figures['correlation']:.2f}, at least {self.least_fit} wanted"
                )
        return fitted

    def resemblance(self, photo: Photo, focal_px: float | None = None) -> float:
        """Return the best correlation of a photograph with one of the person's training frames."""
        view = self._view(photo, photo_camera(self.subject.own_camera, *photo.size, focal_px))
        starts = find_starts(self.subject, view.photo, view.camera, 1)
        return starts[0].correlation if starts else 0.0

    def _shown(self, place: _Place, code: Tensor) -> Shown:
        return self.numbers.shown(place.pose, place.numbers, code)

    def _view(self, photo: Photo, camera: Any) -> PhotoView:
        height, width = compared_size(*photo.size, self.settings.size)
        small = photo.resized(height, width)
        return PhotoView(self.model, small, scaled_camera(camera, height, width), self.settings.background)

    def _unseen_code(self, own: Tensor) -> Float[Tensor, " code_length"]:
        """The code that the model gives a frame it was not trained on."""
        numbers = own[POSE_LENGTH : POSE_LENGTH + self.numbers.expression.num_directions]
        expression = self.numbers.expression.decode(numbers)[None].to(self.model.device)
        shares, identities, like = self.subject.shares, self.model.identities, None
        if shares is not None and identities is not None:
            like = identities.frames_like(shares[None].to(self.model.device))
        return self.model.latent_codes.unseen(expression, *self.model.unseen_code, like)[0].detach().cpu()

    def _start(self, photo: Photo, camera: Any) -> _Place:
        """Best place after some steps from several starts."""
        view = self._view(photo, camera)
        starts = find_starts(self.subject, view.photo, view.camera, self.settings.starts)
        best = starts[0].correlation if starts else 0.0
        if self.landmarks is not None:
            frames = [start.frame for start in starts] or [middle_camera(self.subject.poses)]
            found = self.landmarks.find(self.subject, photo, camera, frames)
            starts, best = ([found, *starts], 1.0) if found is not None else (starts, best)
        if best < LEAST_CORRELATION:
            raise ValueError(
                f"{photo.name}: expected a photo of the person of this run, found no such face (best correlation with "
                f"a training frame {best:.2f}, at least {LEAST_CORRELATION} wanted)"
            )
        return min((self._search(view, start) for start in starts), key=lambda result: result[0])[1]

    def _search(self, view: PhotoView, start: Start) -> tuple[float, _Place]:
        """Turn and shift the head of a start, which keeps its expression; returns the cost too."""
        gaze = None if self.subject.train_gaze is None else self.subject.train_gaze[start.frame]
        numbers = self.numbers.start(self.subject.train_expression[start.frame], gaze)
        code = self.numbers.code.encode(self._unseen_code(numbers))
        place = _Place(view, start.pose, numbers)
        pixels = self._lattice(place, code, *SEARCH)
        (found,), _, cost = self._minimise([place], [pixels], code, {"pose"}, 2.0, SEARCH_ITERATIONS)
        return cost, found

    def _round(
        self, places: list[_Place], code: Tensor, lattice_and_blur: tuple[int, float] | None, seed: int
    ) -> tuple[list[_Place], Tensor]:
        """Look for all numbers, first on lattices, then on random pixels (None)."""
        if lattice_and_blur is None:
            pixels = [self._drawn(place, code, seed) for place in places]
            free, step_factor = {"pose", "expression", "gaze", "code"}, 1.0
        else:
            pixels = [self._lattice(place, code, *lattice_and_blur) for place in places]
            free, step_factor = {"pose", "expression", "gaze"}, 2.0
        return self._minimise(places, pixels, code, free, step_factor, self.settings.iterations)[:2]

    def _minimise(
        self,
        places: Sequence[_Place],
        pixels: Sequence[ComparedPixels],
        code: Tensor,
        free: set[str],
        step_factor: float,
        iterations: int,
    ) -> tuple[list[_Place], Tensor, float]:
        def residual_of(place: _Place, compared: ComparedPixels) -> Callable[[Tensor, Tensor], Tensor]:
            """Return one photo's residual as a function of its own numbers and the shared ones."""
            return lambda numbers, shared: compared.residual(self.numbers.shown(place.pose, numbers, shared))

        solver = LeastSquares(iterations, HUBER_DELTA, self.settings.photo_weight)
        found, code, cost = solver.minimise(
            [residual_of(place, compared) for place, compared in zip(places, pixels)],
            [place.numbers for place in places],
            code,
            self.numbers.own(free, step_factor * POSE_STEP),
            self.numbers.shared(free),
        )
        moved = []
        for place, numbers in zip(places, found):
            pose = self.numbers.shown(place.pose, numbers, code).pose
            # The next steps start from here.
            numbers = torch.cat([torch.zeros(POSE_LENGTH), numbers[POSE_LENGTH:]])
            moved.append(_Place(place.view, pose, numbers))
        return moved, code, cost

    def _lattice(self, place: _Place, code: Tensor, points: int, blur: float) -> ComparedPixels:
        """Evenly spread pixels, whose differences are smoothed."""
        height, width = place.view.photo.size
        step = max(min(height, width) / points, 1.0)
        rows, columns = lattice(height, round(height / step)), lattice(width, round(width / step))
        return ComparedPixels(place.view, rows, columns, blur, self._shown(place, code))

    def _drawn(self, place: _Place, code: Tensor, seed: int) -> ComparedPixels:
        """Random pixels on and near the head, most of them at edges."""
        view, shown = place.view, self._shown(place, code)
        width = view.photo.size[1]
        chances = pixel_chances(view, shown)
        count = min(self.settings.pixels, int((chances > 0).sum()))
        drawn = torch.multinomial(chances, count, generator=torch.Generator().manual_seed(seed)).sort().values
        return ComparedPixels(view, drawn // width, drawn % width, None, shown)


def pixel_chances(view: PhotoView, shown: Shown) -> Float[Tensor, " num_pixels"]:
    """Return chances of pixels to be compared: those near the model's head, by the photograph's edges."""
    height, width = view.photo.size
    step = max(min(height, width) / OPACITY_POINTS, 1.0)
    rows, columns = lattice(height, round(height / step)), lattice(width, round(width / step))
    _, opacity = view.render((rows[:, None] * width + columns).flatten(), shown)
    opacity = opacity.reshape(1, 1, len(rows), len(columns))
    near = torch.nn.functional.max_pool2d(opacity, HEAD_REACH, stride=1, padding=HEAD_REACH // 2)
    near = torch.nn.functional.interpolate(near, (height, width), mode="nearest")[0, 0]
    image = smoothed(view.truth, 0.7).mean(dim=-1)
    edges = (torch.gradient(image, dim=0)[0].square() + torch.gradient(image, dim=1)[0].square()).sqrt()
    is_near = near > 0.1
    usual = edges[is_near].mean().clamp(min=1e-6) if bool(is_near.any()) else torch.ones(())
    chances: Any = (FLAT_SHARE + edges / usual) * is_near
    return chances.flatten() if bool(is_near.any()) else torch.ones(height * width)
