"""A person whom a model has never seen: found on photographs by a known one's face, then learned from there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.merged_identities import SEPARATOR
from nerface_ns.fitting.fit_settings import FitSettings
from nerface_ns.fitting.fitted_photo import FittedPhoto
from nerface_ns.fitting.photo import Photo
from nerface_ns.fitting.photo_dataset import seen_opacity, write_photo_dataset
from nerface_ns.fitting.photo_fitter import PhotoFitter
from nerface_ns.rendering.render_subject import RenderSubject


def check_new_name(name: str, config: Any, model: Any, source: Path) -> None:
    """Refuse a run that no person can be added to, and a name that cannot be theirs.

    Raises:
        ValueError: The run knows one person, its data are not in NerFace's format, or the name is taken or no folder's.
    """
    if getattr(model, "identities", None) is None:
        raise ValueError(
            f"{source}: --new-identity {name}: expected a run of several persons, got one of one; train it with their "
            "folders, with commas between, as --data"
        )
    if not isinstance(config.pipeline.datamanager.dataparser, NeRFaceDataParserConfig):
        raise ValueError(
            f"{source}: --new-identity {name}: expected a run on data in NerFace's format, in which the photos are "
            "written; nerface-convert makes such data of the others"
        )
    if name in model.identities.names:
        raise ValueError(f"--new-identity {name}: expected a new name, got that of a person of {source}")
    if not name or SEPARATOR in name or Path(name).name != name:
        raise ValueError(f"--new-identity {name!r}: expected a name that a folder can have, without commas")


def fit_nearest(
    subjects: Sequence[RenderSubject],
    settings: FitSettings,
    landmarks: Any,
    photos: Sequence[Photo],
    focal_px: float | None,
    step_done: Callable[[str], None],
) -> tuple[RenderSubject, list[FittedPhoto]]:
    """Fit photographs with the face of the known person whose training frames they resemble most.

    Args:
        subjects: The known persons.
        settings: How photos are fitted.
        landmarks: Finds starts by landmarks; None without.
        photos: Of the new person.
        focal_px: Their focal length, where it is known.
        step_done: Told what comes next.

    Raises:
        ValueError: The photographs show no face that resembles anybody's.
    """
    fitters = [PhotoFitter(subject, settings, landmarks, least_fit=-1.0) for subject in subjects]
    step_done("looking who is alike")
    alike = [sum(fitter.resemblance(photo, focal_px) for photo in photos) for fitter in fitters]
    fitter = fitters[alike.index(max(alike))]
    return fitter.subject, fitter.fit(photos, focal_px, lambda text: step_done(f"as {fitter.subject.person}: {text}"))


def new_run_config(
    config: Any,
    checkpoint: Path,
    name: str,
    like: RenderSubject,
    fitted: Sequence[FittedPhoto],
    output_dir: Path,
    share: float,
) -> Any:
    """Write the photographs as a dataset; return the configuration of a training that adds the person to a run.

    Args:
        config: The run's.
        checkpoint: Its checkpoint.
        name: Of the new person.
        like: The known person whose face was found on the photos.
        fitted: The photos.
        output_dir: Where the dataset and the new run go.
        share: Of a step's frames, those that show the new person; the others keep what is known of everybody else.
    """
    data = output_dir / name
    opacity = [seen_opacity(photo, like.own_camera) for photo in fitted]
    write_photo_dataset(data, fitted, opacity, like.own_camera)
    new = copy.deepcopy(config)
    datamanager = new.pipeline.datamanager
    known = datamanager.data or datamanager.dataparser.data
    new.data = datamanager.data = datamanager.dataparser.data = Path(f"{known}{SEPARATOR}{data.resolve()}")
    datamanager.last_identity_share = share
    new.load_dir, new.load_checkpoint, new.load_identities = None, checkpoint.resolve(), True
    new.new_identity_like = like.person
    new.timestamp = "{timestamp}"
    new.output_dir, new.experiment_name, new.relative_model_dir = output_dir, "runs", Path("nerfstudio_models")
    new.vis, new.logging.local_writer.enable = "tensorboard", False
    # Step counts of 0 mean never: the checkpoint is written once, at the end.
    new.steps_per_save = new.steps_per_eval_batch = new.steps_per_eval_image = new.steps_per_eval_all_images = 0
    new.max_num_iterations = 1_000_000
    return new
