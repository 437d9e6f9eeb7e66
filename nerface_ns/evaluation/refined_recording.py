"""What refinement made of a recording's cameras: a dataset, a table, figures."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerface_ns.evaluation.trajectory_alignment import Similarity, align_trajectories

TABLE_COLUMNS = (
    "frame",
    "name",
    "turn_deg",
    "turn_x_deg",
    "turn_y_deg",
    "turn_z_deg",
    "shift_x",
    "shift_y",
    "shift_z",
    "camera_moved",
)
"""Angle and axis by which a head turned before its camera, its shift there in scene units, and the camera's way."""


class RefinedRecording:
    """Tracked and refined cameras of a trained run.

    Args:
        pipeline: The run's pipeline.
        source: The run's config.yml, for messages.

    Raises:
        ValueError: The run refines no cameras.
    """

    def __init__(self, pipeline: Any, source: Path) -> None:
        self.refinement = pipeline.model._modules.get("camera_optimizer")
        if not hasattr(pipeline.model, "refined_cameras") or self.refinement is None:
            raise ValueError(f"{source}: expected a run with model.camera_refinement.enabled True, got one without")
        recorded = pipeline.datamanager.train_dataset.cameras
        self.sequence = pipeline.datamanager.dataparser.sequence
        self.names: list[str] = list(self.sequence.splits["train"].frame_names)
        self.tracked = _poses(recorded)
        self.refined = _poses(pipeline.model.refined_cameras(recorded))

    @property
    def similarity(self) -> Similarity:
        """What brings the tracked cameras closest to the refined ones."""
        return align_trajectories(self.tracked, self.refined)

    @property
    def lens(self) -> dict[str, float]:
        """The refined lens against the tracked one.

        It is a factor on the focal length, a shift of the principal point in focal lengths, and OpenCV's k1.
        """
        refinement = self.refinement
        point = refinement.principal_point.detach().cpu().tolist()
        return {
            "focal_factor": float(refinement.focal_factor().detach()),
            "principal_point_right": point[0],
            "principal_point_up": point[1],
            "k1": float(refinement.distortion.detach()),
        }

    def refined_sequence(self) -> Any:
        """Return the recording with refined training cameras; others are moved along by the similarity.

        The lens is the refined one everywhere, without its radial term, which NerFace's format cannot hold.
        """
        splits = {}
        train = self.sequence.splits["train"]
        lens = self._refined_intrinsics(train.intrinsics_px)
        for name, frames in self.sequence.splits.items():
            is_train = frames is train
            poses = self.refined if is_train else self.similarity.apply(frames.camera_to_world[:, :3])
            matrices = np.tile(np.eye(4), (len(frames), 1, 1))
            matrices[:, :3] = poses
            intrinsics = lens if is_train else np.tile(lens.mean(axis=0), (len(frames), 1))
            splits[name] = dataclasses.replace(frames, camera_to_world=matrices, intrinsics_px=intrinsics)
        return dataclasses.replace(self.sequence, splits=splits)

    def table(self) -> str:
        """Return the corrections as CSV, a row for each training frame."""
        from scipy.spatial.transform import Rotation

        # Head before camera: turning it by T in its place makes R (world to camera) into T R.
        turns = np.einsum("nji,njk->nik", self.refined[:, :, :3], self.tracked[:, :, :3])
        vectors = np.degrees(Rotation.from_matrix(turns).as_rotvec())
        shifts = _heads(self.refined) - _heads(self.tracked)
        moved = np.linalg.norm(self.refined[:, :, 3] - self.tracked[:, :, 3], axis=1)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(TABLE_COLUMNS)
        for frame, name in enumerate(self.names):
            numbers = [np.linalg.norm(vectors[frame]), *vectors[frame], *shifts[frame], moved[frame]]
            writer.writerow([frame, name, *(f"{number:.6f}" for number in numbers)])
        return text.getvalue()

    def plot(self, path: Path) -> None:
        """Draw cameras before and after, from above and from the side, and the corrections along the recording."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(13, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        above, side, angles = figure.subplots(1, 3)
        for axes, columns, names in ((above, (0, 2), "xz"), (side, (2, 1), "zy")):
            for poses, colour, label in ((self.tracked, "tab:gray", "tracked"), (self.refined, "tab:blue", "refined")):
                across, up = poses[:, columns[0], 3], poses[:, columns[1], 3]
                axes.scatter(across, up, s=6, color=colour, label=label)
                look = -0.06 * poses[:, :, 2]
                axes.quiver(
                    across,
                    up,
                    look[:, columns[0]],
                    look[:, columns[1]],
                    color=colour,
                    angles="xy",
                    scale_units="xy",
                    scale=1,
                    width=0.0015,
                )
            axes.plot(0, 0, "k+", label="head")
            axes.set_xlabel(names[0])
            axes.set_ylabel(names[1])
            axes.set_aspect("equal")
            axes.legend(loc="best", fontsize=8)
        rows = list(csv.DictReader(io.StringIO(self.table())))
        order = np.argsort(self.sequence.times["train"])
        for column in ("turn_x_deg", "turn_y_deg", "turn_z_deg"):
            values = np.array([float(row[column]) for row in rows])
            angles.plot(np.asarray(self.sequence.times["train"])[order], values[order], lw=0.8, label=column)
        angles.set_xlabel("place in the recording")
        angles.set_ylabel("turn of the head [deg]")
        angles.legend(loc="best", fontsize=8)
        partial = path.with_name(path.name + ".part")
        figure.savefig(partial, dpi=110, format="png")
        partial.replace(path)

    def _refined_intrinsics(self, intrinsics_px: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
        lens = self.lens
        fx, fy, cx, cy = intrinsics_px.T
        right, up = lens["principal_point_right"], lens["principal_point_up"]
        return np.stack([fx * lens["focal_factor"], fy * lens["focal_factor"], cx + right * fx, cy - up * fy], axis=1)


def _poses(cameras: Any) -> Float[np.ndarray, "n 3 4"]:
    return cameras.camera_to_worlds.reshape(-1, 3, 4).double().cpu().numpy()


def _heads(poses: Float[np.ndarray, "n 3 4"]) -> Float[np.ndarray, "n 3"]:
    """Places of the origin before the cameras."""
    return -np.einsum("nij,ni->nj", poses[:, :, :3], poses[:, :, 3])
