"""The pixels of a picture that show eyeballs: on one by their place, and not coloured like the skin of lids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nerface_ns.evaluation.gaze_geometry import Eyeballs, EyePicture

CHEEK = (1.6, 3.0)
"""Distances from the nearer eyeball's centre, in its radii, between which there is skin below the eyes."""
SKIN_ROUNDS, SKIN_DEVIATION = 5, 3.0
"""Turns in which colours that deviate by more than so many standard deviations are left out: hair, background."""
EYE_DEVIATION = (3.0, 5.0)
"""Deviations from the skin at which a pixel begins to count as the eye's, and at which it counts in full."""
LEAST_FACING = 0.3
"""Cosine between an eyeball's surface and the ray to the camera from which on a pixel counts in full."""


@dataclass(frozen=True)
class SkinColor:
    """The colours of a person's skin in a recording."""

    mean: Float[np.ndarray, "3"]
    precision: Float[np.ndarray, "3 3"]
    """Inverse of their covariance."""

    @classmethod
    def learned(cls, pictures: Sequence[EyePicture], eyeballs: Eyeballs) -> SkinColor:
        """Learn from what is below the eyes.

        Raises:
            ValueError: The pictures show too little of it.
        """
        parts = []
        for picture in pictures:
            distance = ray_distances(picture, eyeballs).min(axis=0) / eyeballs.radius
            eye_row = picture.project(eyeballs.centers)[:, 1].min()
            is_below = np.arange(len(distance))[:, None] > eye_row
            parts.append(picture.colors[(distance > CHEEK[0]) & (distance < CHEEK[1]) & is_below])
        colors = np.concatenate(parts).astype(np.float64)
        if len(colors) < 100:
            raise ValueError(f"gaze estimator: expected to see skin below the eyes, got {len(colors)} pixels of it")
        kept = colors
        for _ in range(SKIN_ROUNDS):
            skin = cls(np.median(kept, axis=0), np.linalg.inv(np.cov(kept.T) + 1e-5 * np.eye(3)))
            kept = colors[skin.deviation(colors) < SKIN_DEVIATION]
        return cls(kept.mean(axis=0), np.linalg.inv(np.cov(kept.T) + 1e-5 * np.eye(3)))

    def deviation(self, colors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
        """Return how many standard deviations colours are off the mean."""
        off = colors - self.mean
        return np.asarray(np.sqrt(np.einsum("...i,ij,...j->...", off, self.precision, off)))

    def foreignness(self, colors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
        """Return weights in [0, 1], how little colours look like skin."""
        low, high = EYE_DEVIATION
        return ((self.deviation(colors) - low) / (high - low)).clip(0, 1)


@dataclass(frozen=True)
class EyePixels:
    """Pixels of one picture or of several."""

    origins: Float[np.ndarray, "pixels 3"]
    """Centres of their cameras in the head's frame."""
    rays: Float[np.ndarray, "pixels 3"]
    """Unit vectors along which they are seen."""
    eye: Int[np.ndarray, " pixels"]
    """0 of the right, 1 of the left eye."""
    frame: Int[np.ndarray, " pixels"]
    """Number of the picture."""
    values: Float[np.ndarray, " pixels"]
    """Their red: eye whites are bright in it, irises of any colour are not."""
    weights: Float[np.ndarray, " pixels"]
    """In [0, 1], how little they look like skin."""

    @classmethod
    def of(cls, pictures: Sequence[EyePicture], eyeballs: Eyeballs, skin: SkinColor, reach: float = 1.0) -> EyePixels:
        """Gather the pixels whose rays pass an eyeball's centre by less than `reach` of its radii."""
        parts = []
        for number, picture in enumerate(pictures):
            weight = skin.foreignness(picture.colors)
            rays, distance = picture.rays(), ray_distances(picture, eyeballs)
            for eye in (0, 1):
                chosen = (distance[eye] < reach * eyeballs.radius) & (weight > 0)
                count = int(chosen.sum())
                origins = np.tile(picture.camera_to_world[:3, 3], (count, 1))
                red = picture.colors[..., 0][chosen].astype(np.float64)
                parts.append((origins, rays[chosen], np.full(count, eye), np.full(count, number), red, weight[chosen]))
        return cls(*(np.concatenate(part) for part in zip(*parts)))

    def outward(self, eyeballs: Eyeballs) -> Float[np.ndarray, "pixels 3"]:
        """Return the unit vectors from the eyeballs' centres to what is seen of their surface."""
        to_center = eyeballs.centers[self.eye] - self.origins
        along = (self.rays * to_center).sum(axis=-1)
        room = eyeballs.radius**2 - (to_center**2).sum(axis=-1) + along**2
        # A ray that misses the ball sees the place next to it.
        points = self.rays * (along - np.sqrt(np.maximum(room, 0.0)))[:, None] - to_center
        return points / np.linalg.norm(points, axis=-1, keepdims=True)

    def facing(self, outward: Float[np.ndarray, "pixels 3"]) -> Float[np.ndarray, " pixels"]:
        """Return weights in [0, 1] that leave out what is seen at a grazing angle."""
        return (-(outward * self.rays).sum(axis=-1) / LEAST_FACING).clip(0, 1)


def ray_distances(picture: EyePicture, eyeballs: Eyeballs) -> Float[np.ndarray, "2 height width"]:
    """Return by how much each pixel's ray passes the right and the left eyeball's centre."""
    rays = picture.rays()
    to_center = eyeballs.centers - picture.camera_to_world[:3, 3]
    along = np.einsum("hwi,ei->ehw", rays, to_center)
    return np.sqrt(np.maximum((to_center**2).sum(axis=-1)[:, None, None] - along**2, 0.0))
