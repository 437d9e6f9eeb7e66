"""Regions of the tiny face: its boxes and mattes, and parsings written here."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_face import HEIGHT, REGIONS_PX, WIDTH, edit_json, write_tiny_face

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.data.face_pixel_sampler import FacePixelSamplerConfig

HAIR_PX, TORSO_PX = (slice(0, 2), slice(3, 9)), (slice(10, 12), slice(0, 16))


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def parsed_face(tmp_path_factory):
    """Hair and torso in all frames but the first training frame, which shows no hair."""
    root = write_tiny_face(tmp_path_factory.mktemp("face"))
    for image in root.glob("*/f_*.png"):
        labels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        labels[TORSO_PX] = 16
        if image.stem != "f_0000":
            labels[HAIR_PX] = 17
        target = root / "parsing" / image.parent.name / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels).save(target)
    return root


def manager(root, shares=(), **settings):
    sampler = FacePixelSamplerConfig(region_shares=shares)
    config = FaceDataManagerConfig(
        dataparser=NeRFaceDataParserConfig(data=root, **settings),
        pixel_sampler=sampler,
        train_num_rays_per_batch=20_000,
        eval_num_rays_per_batch=10,
        images_per_batch=1,
    )
    return config.setup(test_mode="val")


def expected_chance(frame: int, shares: dict[str, float]) -> np.ndarray:
    """Closed form: each region's share evenly over its pixels, the rest after the face box's weights."""
    base = np.full((HEIGHT, WIDTH), 0.1)
    base[2:10, 4:12] = 0.9
    inside = {name: np.zeros((HEIGHT, WIDTH)) for name in ("mouth", "hair", "torso", "head")}
    y0, y1, x0, x1 = REGIONS_PX["mouth"]
    inside["mouth"][y0:y1, x0:x1] = 1
    inside["torso"][TORSO_PX] = 1
    if frame != 0:
        inside["hair"][HAIR_PX] = 1
    used = {name: share for name, share in shares.items() if inside[name].any()}
    chance = (1 - sum(used.values())) * base / base.sum()
    return chance + sum(share * inside[name] / inside[name].sum() for name, share in used.items())


@pytest.mark.parametrize("frame", [0, 3])
def test_shares_are_drawn_after_the_closed_form(parsed_face, frame):
    """Counts of 20,000 draws; the frame without hair gives hair's share to the face box's weights."""
    torch.manual_seed(0)
    shares = {"mouth": 0.2, "hair": 0.3, "torso": 0.1}
    sampler = manager(parsed_face, tuple(shares.items())).train_pixel_sampler
    indices = sampler.sample(torch.tensor([frame]))
    counts = np.bincount(indices[:, 1] * WIDTH + indices[:, 2], minlength=HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    chance = expected_chance(frame, shares)
    deviation = np.sqrt(20_000 * chance * (1 - chance))
    assert (np.abs(counts - 20_000 * chance) <= 6 * deviation + 1e-9).all()


def test_batch_says_which_rays_lie_in_regions(parsed_face):
    """By box, by parsing, by matte (the tiny face's is visible nowhere: at most 105 of 255)."""
    torch.manual_seed(0)
    data = manager(parsed_face)
    data.find_regions(("mouth", "torso", "background", "head"))
    batch = data.next_train(0)[1]
    _, row, column = batch["indices"].T
    y0, y1, x0, x1 = REGIONS_PX["mouth"]
    mouth = (row >= y0) & (row < y1) & (column >= x0) & (column < x1)
    assert torch.equal(batch["regions"][:, 0], mouth) and mouth.any()
    assert torch.equal(batch["regions"][:, 1], row >= 10)
    assert not batch["regions"][:, 3].any()
    frame = batch["indices"][0, 0]
    hair = (row < 2) & (column >= 3) & (column < 9) if frame != 0 else torch.zeros_like(mouth)
    assert torch.equal(batch["regions"][:, 2], ~(hair | (row >= 10)))


def test_defaults_draw_as_before(parsed_face):
    """No parsing is read, and the batch has no entry more."""
    data = manager(parsed_face)
    batch = data.next_train(0)[1]
    assert set(batch) == {"image", "indices", "alpha"} and "labels" not in vars(data.train_regions)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((("hat", 0.1),), r"region_shares: expected regions that these data show, background, .* got 'hat'"),
        ((("mouth", 0.6), ("eyes", 0.5)), "region_shares: expected shares above 0 that sum to at most 1"),
        ((("mouth", 0.1), ("mouth", 0.1)), r"region_shares: expected each region once, got \['mouth', 'mouth'\]"),
        ((("mouth", 0.0),), "expected shares above 0"),
    ],
)
def test_bad_shares(parsed_face, shares, message):
    with pytest.raises(ValueError, match=message):
        manager(parsed_face, shares)


def test_region_that_no_frame_shows(parsed_face):
    """The parsings know no mouth, and without its box nothing does."""
    data = manager(parsed_face, use_masks=False)
    del data.train_regions.boxes["mouth"]
    with pytest.raises(ValueError, match=r"weight of a region: expected regions that these data show, .* got 'mouth'"):
        data.find_regions(("mouth",))


def test_only_some_parsings(tmp_path, parsed_face):
    root = write_tiny_face(tmp_path / "face")
    (root / "parsing" / "train").mkdir(parents=True)
    Image.fromarray(np.zeros((HEIGHT, WIDTH), dtype=np.uint8)).save(root / "parsing" / "train" / "f_0000.png")
    with pytest.raises(FileNotFoundError, match=r"frame 1 \(train/f_0001\): expected parsing .*f_0001.png"):
        manager(root)
    manager(root, use_parsings=False)


def test_parsing_of_another_size(tmp_path):
    root = write_tiny_face(tmp_path / "face", masks=False)
    for image in root.glob("*/f_*.png"):
        target = root / "parsing" / image.parent.name / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((HEIGHT, WIDTH + 1), dtype=np.uint8)).save(target)
    with pytest.raises(ValueError, match=r"expected parsing of 16x12 pixels as the other frames, got 17x12"):
        manager(root)


def test_boxes_are_optional(tmp_path):
    """A recording without any box, matte or parsing has no regions."""
    root = write_tiny_face(tmp_path / "face", masks=False)
    for file in root.glob("transforms_*.json"):
        edit_json(
            file,
            lambda content: [
                frame.pop(key) for frame in content["frames"] for key in ("bbox", "mouth_box", "eyes_box")
            ],
        )
    with pytest.raises(ValueError, match="expected regions that these data show, none, got 'mouth'"):
        manager(root, (("mouth", 0.1),))
