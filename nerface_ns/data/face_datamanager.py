"""Training rays of a face straight from uint8 frames on disk."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Optional, Tuple, Type

import numpy as np
import torch
from jaxtyping import Int
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.configs.dataparser_configs import AnnotatedDataParserUnion
from nerfstudio.data.datamanagers.base_datamanager import DataManager, VanillaDataManager, VanillaDataManagerConfig
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.utils.dataloaders import FixedIndicesEvalDataloader, RandIndicesEvalDataloader
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_dataset import FaceDataset
from nerface_ns.data.face_pixel_sampler import FacePixelSampler, FacePixelSamplerConfig
from nerface_ns.data.face_rays import FaceRayGenerator
from nerface_ns.data.frame_regions import FrameRegions, regions_of
from nerface_ns.data.gaze_control import GAZE_COEFFICIENTS

EVAL_CONDITIONS = ("frame_index", "expression", "gaze", "identity")
"""What rays of unseen frames carry; training rays carry only their frame's number."""


@dataclass
class FaceDataManagerConfig(VanillaDataManagerConfig):
    """Draws training rays from a memory-mapped store of uint8 frames."""

    _target: Type = field(default_factory=lambda: FaceDataManager)
    """Target class to instantiate."""
    dataparser: AnnotatedDataParserUnion = field(default_factory=NeRFaceDataParserConfig)  # type: ignore[valid-type]
    """Format of the data; must be one of this package's."""
    train_num_rays_per_batch: int = 2048
    """Rays per training step."""
    eval_num_rays_per_batch: int = 2048
    """Rays per evaluation step during training."""
    images_per_batch: int = 8
    """Random frames that share one step's rays: conditions are encoded once per frame (NeRFace, 1)."""
    pixel_sampler: FacePixelSamplerConfig = field(default_factory=FacePixelSamplerConfig)  # type: ignore[assignment]
    """Where in a frame the rays go."""
    last_identity_share: Optional[float] = None
    """In data of several persons, share of a step's frames that show the last of them; None draws from all persons
    alike, however many frames each has."""
    gaze_control: bool = False
    """Let gaze alone move the eyes: refuse data without gaze, and leave out of the expression what gaze stands for."""
    gaze_coefficients: Tuple[str, ...] = GAZE_COEFFICIENTS
    """Patterns (* for any letters, in any case) of the coefficients that gaze stands for."""


class FaceDataManager(VanillaDataManager[FaceDataset]):
    """Data manager of tracked faces.

    The store of a split is built when training starts, and otherwise with the split's first batch: rendering, viewing
    and evaluation decode single images only.

    Processes of one training job draw different rays because nerfstudio seeds each with seed + rank and every draw
    comes from torch's global generator.
    """

    config: FaceDataManagerConfig
    dataparser: FaceDataParser
    train_dataset: FaceDataset
    eval_dataset: FaceDataset
    train_pixel_sampler: FacePixelSampler | None  # type: ignore[assignment]
    eval_pixel_sampler: FacePixelSampler | None  # type: ignore[assignment]
    least_images_per_batch: int = 1
    """Images to draw from at least, whatever the settings say: what learns of single frames asks for more."""
    wanted_regions: Tuple[str, ...] = ()
    """Regions of which a training batch says which rays lie in them."""
    drawn_images: Tensor | None = None
    """Training images of the last step's rays."""
    drawn_rays: int | None = None
    """Rays of the last training step."""

    def __init__(
        self,
        config: FaceDataManagerConfig,
        device: torch.device | str = "cpu",
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_config(config)
        silence_index_warnings()
        self.config, self.dataparser_config = config, config.dataparser
        self.device, self.test_mode = device, test_mode
        self.world_size, self.local_rank = world_size, local_rank
        self.test_split = "val" if test_mode == "val" else "test"
        self.sampler = None
        if config.data is not None:
            config.dataparser.data = Path(config.data)
        else:
            config.data = config.dataparser.data
        self.dataparser = config.dataparser.setup()
        if test_mode == "inference":
            self.dataparser.check_image_sizes = False
        if getattr(config, "gaze_control", False):  # runs of before there was any gaze have no such setting
            self.dataparser.gaze_coefficients = tuple(config.gaze_coefficients)
        self.includes_time = self.dataparser.includes_time
        self.train_dataparser_outputs = self.dataparser.get_dataparser_outputs(split="train")
        self.train_dataset = self.create_train_dataset()
        self.eval_dataset = self.create_eval_dataset()
        self.exclude_batch_keys_from_device = self.train_dataset.exclude_batch_keys_from_device
        # Not VanillaDataManager's: it compares all cameras' sizes one by one, seconds for thousands of frames.
        DataManager.__init__(self)

    @cached_property
    def dataset_type(self) -> type[FaceDataset]:
        """Class of both datasets."""
        return FaceDataset

    def get_datapath(self) -> Path:
        """Folder of the dataset."""
        return self.dataparser.sequence.root

    def get_split_dataset(self, split: str) -> FaceDataset:
        """Dataset of any split by name, such as "nvs", besides those that train and evaluate."""
        return FaceDataset(self.dataparser.get_dataparser_outputs(split=split))

    def setup_train(self) -> None:
        """Prepare drawing of training rays; build the store when this run trains."""
        outputs = self.train_dataparser_outputs
        self.train_regions = regions_of(outputs.metadata, self.train_dataset.open_store)
        self.train_pixel_sampler = self._get_face_sampler(
            outputs, self.config.train_num_rays_per_batch, self.train_regions
        )
        self.train_ray_generator = FaceRayGenerator(self.train_dataset.cameras, self.device)
        if self.test_mode == "val":
            self.train_dataset.open_store()
            self.train_regions.check("region_shares", [name for name, _ in self.config.pixel_sampler.region_shares])

    def setup_eval(self) -> None:
        """Prepare drawing of evaluation rays and the loaders of whole evaluation images."""
        outputs = self.eval_dataset._dataparser_outputs
        self.eval_regions = regions_of(outputs.metadata, self.eval_dataset.open_store)
        self.eval_pixel_sampler = self._get_face_sampler(
            outputs, self.config.eval_num_rays_per_batch, self.eval_regions
        )
        self.eval_ray_generator = FaceRayGenerator(self.eval_dataset.cameras, self.device, EVAL_CONDITIONS)
        self.fixed_indices_eval_dataloader = FixedIndicesEvalDataloader(self.eval_dataset, device=self.device)
        self.eval_dataloader = RandIndicesEvalDataloader(self.eval_dataset, device=self.device)
        if self.test_mode == "val":
            self.eval_dataset.open_store()

    def next_train(self, step: int) -> tuple[RayBundle, dict[str, Tensor]]:
        """Rays of training pixels with their colours.

        Returns:
            Rays that carry "frame_index", and "image" (R, 3) in [0, 1], "indices" (R, 3) camera, row, column, and
            "alpha" (R, 1) where the data have mattes, and "patch_rows" (P, S, S), where among the rays each patch's
            pixels are, in steps with patches, and "regions" (R, N), which rays lie in each of `wanted_regions`.
        """
        self.train_count += 1
        assert self.train_pixel_sampler is not None
        self.drawn_images = self._choose_images(self.train_dataset)
        indices, patch_rows = self.train_pixel_sampler.draw(self.drawn_images, step)
        self.drawn_rays = len(indices)
        rays, batch = self._look_up(self.train_dataset, indices, self.train_ray_generator)
        if self.wanted_regions:
            batch["regions"] = self.train_regions.contains(self.wanted_regions, indices).to(self.device)
        return rays, batch if patch_rows is None else {**batch, "patch_rows": patch_rows.to(self.device)}

    def get_train_rays_per_batch(self) -> int:
        """Rays of the last training step, or before there was one, of a whole step."""
        return super().get_train_rays_per_batch() if self.drawn_rays is None else self.drawn_rays

    def next_eval(self, step: int) -> tuple[RayBundle, dict[str, Tensor]]:
        """Rays of evaluation pixels, which carry "expression" and "gaze" too, with their colours."""
        self.eval_count += 1
        assert self.eval_pixel_sampler is not None
        indices = self.eval_pixel_sampler.sample(self._choose_images(self.eval_dataset))
        return self._look_up(self.eval_dataset, indices, self.eval_ray_generator)

    def next_eval_image(self, step: int) -> tuple[Cameras, dict[str, Any]]:
        """A random evaluation image with its camera."""
        return next(self.eval_dataloader)

    def find_regions(self, names: Tuple[str, ...]) -> None:
        """Say in every training batch which rays lie in regions.

        Raises:
            ValueError: The data do not tell one of them.
        """
        self.train_regions.check("stages: weight of a region", names)
        self.wanted_regions = tuple(names)

    def _get_face_sampler(
        self, outputs: DataparserOutputs, num_rays: int, frame_regions: FrameRegions
    ) -> FacePixelSampler:
        """Sampler over the images of one split."""
        height, width = outputs.metadata["image_size"]
        face_boxes, regions = outputs.metadata.get("face_boxes"), outputs.metadata["region_boxes"]
        # Exporters ask for the rays of step 0 over and over.
        growth_steps = self.config.pixel_sampler.growth_steps if self.test_mode == "val" else 0
        return replace(self.config.pixel_sampler, growth_steps=growth_steps).setup(
            num_rays_per_batch=num_rays,
            face_boxes=face_boxes,
            region_boxes=regions,
            height=height,
            width=width,
            regions=frame_regions,
        )

    def _choose_images(self, dataset: FaceDataset) -> Int[Tensor, " batch"]:
        """Random images that share a step's rays; of several persons about as many of each."""
        count = max(self.config.images_per_batch, self.least_images_per_batch)
        whose = dataset.metadata.get(keys.IDENTITY)
        if whose is None:
            return torch.randperm(len(dataset))[:count]
        return draw_by_identity(whose, count, getattr(self.config, "last_identity_share", None))

    def _look_up(
        self, dataset: FaceDataset, indices: Int[Tensor, "rays 3"], ray_generator: FaceRayGenerator
    ) -> tuple[RayBundle, dict[str, Tensor]]:
        """Rays of pixels, and their colours."""
        image, row, column = indices.numpy().T
        colour = dataset.open_store().gather(image, row, column).astype(np.float32) / np.float32(255)
        frame = torch.from_numpy(colour).to(self.device)
        batch = {"image": frame[:, :3], "indices": indices.to(self.device)}
        if frame.shape[-1] == 4:
            batch["alpha"] = frame[:, 3:]
        return ray_generator(indices), batch


def draw_by_identity(
    whose: Int[Tensor, " images"], count: int, last_share: float | None = None
) -> Int[Tensor, " batch"]:
    """Draw images, each person with the same chance whatever their number of images.

    Args:
        whose: Whose each image is.
        count: How many to draw, if there are as many.
        last_share: The chance of the last person instead; the others share what is left. Images may then come twice,
            because the last person may have few.
    """
    counts = torch.bincount(whose)
    if last_share is None or len(counts) == 1:
        return torch.multinomial((1 / counts)[whose], min(count, len(whose)))
    chances = torch.full((len(counts),), (1 - last_share) / (len(counts) - 1))
    chances[-1] = last_share
    return torch.multinomial((chances / counts)[whose], count, replacement=True).sort().values


def _check_config(config: FaceDataManagerConfig) -> None:
    """Refuse settings that this data manager inherits but does not follow."""
    if not isinstance(config.dataparser, FaceDataParserConfig):
        raise ValueError(
            "dataparser: expected one of this package's (nerface-data, nerfblendshape-data, flame-data, adnerf-data, "
            f"nerface-demo), got {type(config.dataparser).__name__}"
        )
    for name, only in (
        ("train_num_images_to_sample_from", -1),
        ("eval_num_images_to_sample_from", -1),
        ("patch_size", 1),
    ):
        if getattr(config, name) != only:
            raise ValueError(f"{name}: expected {only}, got {getattr(config, name)}; use images_per_batch")
    share = getattr(config, "last_identity_share", None)
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"last_identity_share: expected a number above 0 and at most 1, got {share}")
    if config.images_per_batch < 1:
        raise ValueError(f"images_per_batch: expected at least 1, got {config.images_per_batch}")


def silence_index_warnings() -> None:
    """Drop torch's warning on nerfstudio 1.1.5's list indices, which would come with every image; nothing else."""
    warnings.filterwarnings(
        "ignore", message="Using a non-tuple sequence for multidimensional", module=r"nerfstudio\.cameras\.cameras"
    )
