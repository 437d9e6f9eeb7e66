from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tiny_face import HEIGHT, WIDTH, coded_alpha, coded_image

from nerface_ns.data import frame_store
from nerface_ns.data.frame_store import decode_frame, open_frame_store


@pytest.fixture
def frame_paths(tmp_path):
    """Four images and their mattes."""
    images = [tmp_path / f"{number}.png" for number in range(4)]
    alphas = [tmp_path / f"alpha_{number}.png" for number in range(4)]
    for number, (image, alpha) in enumerate(zip(images, alphas)):
        Image.fromarray(coded_image(number)).save(image)
        Image.fromarray(coded_alpha(number)).save(alpha)
    return images, alphas


def test_store_holds_the_images(frame_paths):
    images, _ = frame_paths
    store = open_frame_store(images, None, HEIGHT, WIDTH)
    assert not store.has_alpha
    for number in range(4):
        np.testing.assert_array_equal(store.read(number), coded_image(number))


def test_store_holds_mattes_in_the_fourth_channel(frame_paths):
    store = open_frame_store(*frame_paths, HEIGHT, WIDTH)
    assert store.has_alpha
    np.testing.assert_array_equal(store.frames[2, ..., :3], coded_image(2))
    np.testing.assert_array_equal(store.frames[2, ..., 3], coded_alpha(2))


def test_gather_matches_loop(frame_paths):
    store = open_frame_store(*frame_paths, HEIGHT, WIDTH)
    rng = np.random.default_rng(0)
    frame, row, column = rng.integers(0, [[4], [HEIGHT], [WIDTH]], size=(3, 50))
    expected = np.stack([store.frames[index] for index in zip(frame, row, column)])
    np.testing.assert_array_equal(store.gather(frame, row, column), expected)


def test_downsampling_is_the_mean_over_each_pixels_area(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    expected = pixels.reshape(HEIGHT // 4, 4, WIDTH // 4, 4, 3).mean(axis=(1, 3))
    got = decode_frame(tmp_path / "image.png", None, HEIGHT // 4, WIDTH // 4)
    np.testing.assert_allclose(got, expected, atol=0.51)


def test_second_run_reuses_the_store(frame_paths, monkeypatch):
    images, _ = frame_paths
    first = open_frame_store(images, None, HEIGHT, WIDTH)
    monkeypatch.setattr(frame_store, "_build_store", lambda *arguments: pytest.fail("built again"))
    second = open_frame_store(images, None, HEIGHT, WIDTH)
    assert second.path == first.path


def test_other_resolution_masks_or_a_changed_image_make_another_store(frame_paths):
    images, alphas = frame_paths
    paths = {open_frame_store(images, None, HEIGHT, WIDTH).path}
    paths.add(open_frame_store(images, None, HEIGHT // 2, WIDTH // 2).path)
    paths.add(open_frame_store(images, alphas, HEIGHT, WIDTH).path)
    Image.fromarray(coded_image(9)).save(images[0])
    os.utime(images[0], (1, 1))
    changed = open_frame_store(images, None, HEIGHT, WIDTH)
    paths.add(changed.path)
    assert len(paths) == 4
    np.testing.assert_array_equal(changed.read(0), coded_image(9))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_image_is_named_and_leaves_nothing_behind(tmp_path, private_cache, suffix):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    images = [tmp_path / f"{number}{suffix}" for number in range(3)]
    for image in images:
        Image.fromarray(pixels).save(image)
    images[1].write_bytes(images[1].read_bytes()[:-900])
    with pytest.raises(ValueError, match=rf"1\{suffix}: expected a whole image, got a damaged one"):
        open_frame_store(images, None, 64, 64)
    assert [path for path in private_cache.rglob("*") if path.is_file()] == []


def test_16_bit_image_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((4, 4), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"deep\.png: expected 8 bits a channel"):
        decode_frame(tmp_path / "deep.png", None, 4, 4)


def test_missing_image(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png: expected an image here"):
        open_frame_store([tmp_path / "none.png"], None, 4, 4)


def test_unwritable_cache(frame_paths, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"expected a folder that can hold .*; set XDG_CACHE_HOME to another place"):
        open_frame_store(frame_paths[0], None, HEIGHT, WIDTH)


MEMORY_PROBE = """
import sys
import numpy as np
from pathlib import Path
from nerface_ns.data import frame_store
frame_store.RESIDENT_BUDGET_BYTES = 32 * 2**20
frame_store.PROGRESS_FROM_FRAMES = 10**9
image, count = Path(sys.argv[1]), int(sys.argv[2])
frame_store.open_frame_store([image] * 2, None, 512, 512)
def peak_mb():  # getrusage's peak would count the parent's, from before the exec
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
before = peak_mb()
store = frame_store.open_frame_store([image] * count, None, 512, 512)
rng = np.random.default_rng(0)
for _ in range(3 * count // 8):
    frame, row, column = rng.choice(count, 8)[np.arange(512) % 8], *rng.integers(0, 512, (2, 512))
    store.gather(frame, row, column)
for index in range(count):
    store.read(index)
print(peak_mb() - before, store.frames.nbytes / 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are given back on Linux only")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    """Building, sampling and reading a store of 150 MiB leaves peak memory under 75 MiB more than before."""
    Image.new("RGB", (512, 512), (9, 8, 7)).save(tmp_path / "image.png")
    command = [sys.executable, "-c", MEMORY_PROBE, str(tmp_path / "image.png"), "200"]
    probe = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    grown_mb, store_mb = (float(number) for number in probe.stdout.split())
    assert store_mb == pytest.approx(150, rel=0.01)
    assert grown_mb < 75
