"""Scores of a trained pipeline over every frame of a split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.evaluation_protocol import RUN_PROTOCOL, EvaluationProtocol, frame_codes
from nerface_ns.evaluation.paper_metrics import paper_scores
from nerface_ns.evaluation.scored_backdrop import true_picture
from nerface_ns.evaluation.unseen_poses import PoseProtocol, UnseenPoses
from nerface_ns.model_components.image_metrics import ImageDistance, Scores, region_scores

EVALUATION_SPLITS = ("test", "val", "nvs")
"""Splits that hold no training frame, in the order in which they are reported."""
METRICS = ("psnr", "ssim", "l1", "lpips")
REGIONS = ("full", "face", "mask", "mouth", "eyes")
"""What is scored, in the order in which it is reported."""


@dataclass
class RenderedFrame:
    """A frame of a split beside what the model makes of it."""

    name: str
    """Name of the frame's file."""
    truth: Tensor
    """(height, width, 3) colours in [0, 1]."""
    outputs: dict[str, Tensor]
    """The model's outputs, each (height, width, channels)."""
    boxes: dict[str, Tensor]
    """y0, y1, x0, x1 as fractions of the image by region: face, mouth, eyes."""
    alpha: Tensor | None = None
    """(height, width, 1) coverage in [0, 1], where the split has masks."""
    render_s: float = 0.0
    """Seconds that the model took."""


@dataclass
class SplitScores:
    """Scores of one split."""

    split: str
    """Name of the split."""
    frame_names: list[str] = field(default_factory=list)
    """Names of the scored frames."""
    frame_scores: list[dict[str, Scores]] = field(default_factory=list)
    """Scores by region ("full", "face", "mask", "mouth", "eyes"), one entry per frame."""
    render_s: float = 0.0
    """Seconds spent rendering, all frames together."""

    def add(self, frame: RenderedFrame, scores: dict[str, Scores]) -> None:
        """Take up a frame with its scores by region."""
        self.frame_names.append(frame.name)
        self.frame_scores.append(scores)
        self.render_s += frame.render_s

    def mean(self) -> dict[str, Scores]:
        """Return every region's scores, averaged over the frames that have them."""
        regions = [name for name in REGIONS if any(name in scores for scores in self.frame_scores)]
        return {region: self._mean_of([s[region] for s in self.frame_scores if region in s]) for region in regions}

    def as_json(self) -> dict[str, Any]:
        """Return the full image's figures with the regions' beneath: {"psnr", ..., "face": {"psnr", ...}, ...}."""
        means = self.mean()
        return {**means.pop("full"), **means}

    @staticmethod
    def _mean_of(scores: Sequence[Scores]) -> Scores:
        columns = {metric: [value for s in scores if (value := s[metric]) is not None] for metric in METRICS}
        return {metric: sum(values) / len(values) if values else None for metric, values in columns.items()}


class SplitRenderer:
    """Renders the frames of one split through a pipeline, streaming its images.

    Args:
        pipeline: A trained nerfstudio pipeline.
        split: Name of a split that its dataparser has.
        poses: Rule for the cameras of frames never trained on.
    """

    def __init__(self, pipeline: Any, split: str, poses: PoseProtocol = "as_tracked") -> None:
        self.pipeline = pipeline
        self.poses = UnseenPoses(pipeline, poses)
        self.split = split
        datamanager = pipeline.datamanager
        outputs = datamanager.dataparser.get_dataparser_outputs(split=split)
        scale = getattr(datamanager.config, "camera_res_scale_factor", 1.0)
        self.dataset = datamanager.dataset_type(dataparser_outputs=outputs, scale_factor=scale)
        self.frame_names = [str(name) for name in outputs.metadata.get("frame_names", outputs.image_filenames)]

    def __len__(self) -> int:
        return len(self.dataset)

    def render(self, index: int) -> RenderedFrame:
        """Render one frame as the split's own camera sees it."""
        return next(frame for frame, _ in self.render_by_protocol(index, [RUN_PROTOCOL]))

    def render_by_protocol(
        self, index: int, protocols: Sequence[EvaluationProtocol]
    ) -> Iterator[tuple[RenderedFrame, list[EvaluationProtocol]]]:
        """Render one frame once for each latent code that protocols give it.

        Args:
            index: Of the frame in its split.
            protocols: At least one.

        Yields:
            The frame, beside the same truth each time, and the protocols whose picture it is.
        """
        model, device = self.pipeline.model, self.pipeline.device
        camera = self.dataset.cameras[index : index + 1].to(device)
        data = self.dataset.get_data(index)
        alpha, metadata = data.get("alpha"), getattr(camera, "metadata", None)
        truth = true_picture(data["image"][..., :3], alpha, model, self.frame_names[index])
        for code, group in frame_codes(model, metadata or {}, protocols):
            camera.metadata = metadata if code is None else {**(metadata or {}), keys.LATENT_CODE: code}
            placed = self.poses.place(camera, truth)
            start = time.perf_counter()
            outputs = model.get_outputs_for_camera(placed)
            if outputs["rgb"].is_cuda:
                torch.cuda.synchronize()
            render_s = time.perf_counter() - start
            frame = RenderedFrame(
                name=self.frame_names[index],
                truth=truth.to(outputs["rgb"].device),
                outputs=outputs,
                boxes=self._boxes(index),
                alpha=None if alpha is None else alpha.to(outputs["rgb"].device),
                render_s=render_s,
            )
            yield self.poses.scored_part(frame, camera), group

    def _boxes(self, index: int) -> dict[str, Tensor]:
        metadata = self.dataset.metadata
        columns: dict[str, Any] = dict(metadata.get("region_boxes") or {})
        if metadata.get("face_boxes") is not None:
            columns["face"] = metadata["face_boxes"]
        boxes = {name: torch.as_tensor(column[index]) for name, column in columns.items()}
        # A frame without this box holds NaN.
        return {name: box for name, box in boxes.items() if bool(torch.isfinite(box).all())}


ProtocolFrameDone = Callable[[EvaluationProtocol, int, int, RenderedFrame], None]
"""Called with the protocol, the frame's index, the number of frames, and the frame."""


def score_split(
    pipeline: Any,
    split: str,
    protocols: Sequence[EvaluationProtocol] = (RUN_PROTOCOL,),
    image_distance: ImageDistance | None = None,
    frame_done: ProtocolFrameDone | None = None,
    max_frames: int | None = None,
    poses: PoseProtocol = "as_tracked",
) -> dict[str, SplitScores]:
    """Render and score the frames of a split; equal pictures are rendered and compared once.

    Args:
        pipeline: A trained nerfstudio pipeline.
        split: Name of a split that its dataparser has.
        protocols: With different names; without any the model's own settings.
        image_distance: LPIPS or a stand-in for it.
        frame_done: Called with the protocol, the frame's index, the number of frames, and the frame, after each.
        max_frames: Score so many frames, evenly spread; all without it.
        poses: Rule for the cameras of frames never trained on.

    Returns:
        Scores by the protocols' names.
    """
    results = {protocol.name: SplitScores(split) for protocol in protocols}
    was_training = pipeline.training
    pipeline.eval()
    renderer = SplitRenderer(pipeline, split, poses)
    count = len(renderer) if max_frames is None else min(max_frames, len(renderer))
    for number in range(count):
        for frame, group in renderer.render_by_protocol(number * len(renderer) // count, protocols):
            scores = {way: _frame_scores(frame, way, image_distance) for way in {p.compares_as_paper for p in group}}
            for protocol in group:
                results[protocol.name].add(frame, scores[protocol.compares_as_paper])
                if frame_done is not None:
                    frame_done(protocol, number, count, frame)
    pipeline.train(was_training)
    return results


def _frame_scores(frame: RenderedFrame, as_paper: bool, image_distance: ImageDistance | None) -> dict[str, Scores]:
    if as_paper:
        return {"full": paper_scores(frame.outputs["rgb"], frame.truth, image_distance)}
    return region_scores(frame.outputs["rgb"], frame.truth, frame.boxes, frame.alpha, image_distance)


def code_protocol(pipeline: Any) -> str | None:
    """Return the rule by which frames never trained on get their latent code; None for a model without codes."""
    unseen_code = getattr(pipeline.model, "unseen_code", None)
    return getattr(pipeline.model.config, "code_protocol", None) if unseen_code is None else unseen_code[0]


def scores_as_json(scores: Mapping[str, SplitScores]) -> dict[str, Any]:
    """Return the splits' figures in reporting order."""
    order: tuple[str, ...] = (*EVALUATION_SPLITS, "train")
    return {split: scores[split].as_json() for split in order if split in scores}


def frames_as_json(scores: Mapping[str, SplitScores]) -> dict[str, dict[str, dict[str, Scores]]]:
    """Return every frame's scores by split and frame."""
    return {name: dict(zip(split.frame_names, split.frame_scores)) for name, split in scores.items()}
