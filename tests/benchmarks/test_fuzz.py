"""A few hundred damaged files for every reader; `benchmarks/fuzz.py` runs many more."""

import importlib
import random
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NUM_FILES = {"avatar": 120, "frames_json": 150}
LAYOUTS = (
    "nerfblendshape_transforms.json",
    "nerfblendshape_1.lms",
    "insta_transforms.json",
    "insta_00001.txt",
    "vhap_transforms.json",
    "vhap_00001.npz",
    "imavatar_flame_params.json",
    "head_avatars_tracked_flame_params.npz",
    "head_avatars_split.json",
    "adnerf_transforms_val.json",
    "adnerf_exp.npy",
    "metrical_00001.frame",
)
NAMES = (
    "avatar",
    "frames_json",
    "track_json",
    "track_csv",
    "live_link_csv",
    "camera_path",
    "udp_packet",
    "picture",
    "npy",
    "npz",
    "pt",
    "action_units_csv",
    "split_json",
    "parsing",
    "state_json",
)


NUM_TRAIN = {
    "nerfblendshape": 12 - 3 - 2,
    "insta": 24 - 5 - 8,
    "vhap": 24 - 6 - 8,
    "imavatar": 24 - 4 - 8,
    "head_avatars": 24 - 4 - 8,
    "adnerf": 10 - 2 - 2,
    "metrical": 24 - 4 - 8,
}
"""Training frames of the layouts' whole folders: without those of test and validation."""
WHOLE_FILES = {
    "avatar": (lambda picture: picture.shape, (8, 10, 3)),
    "frames_json": (lambda outputs: outputs.cameras.metadata["expression"], [[0, 0.5], [0.1, 0.5], [0.2, 0.5]]),
    "track_json": (lambda track: track.expression, [[0.1, 0.2]] * 3),
    "track_csv": (lambda track: track.expression, [[0.1, 0.2], [0.2, 0.3], [0.1, 0.1]]),
    "live_link_csv": (lambda track: track.expression, [[0.1, 0.2]] * 3),
    "camera_path": (lambda path: [len(path.cameras), path.frames_per_s], [3, 3.0]),
    "udp_packet": (lambda packet: packet.values, [0.1] * 52),
    "npy": (lambda rows: rows, [1, 0, -1]),
    "npz": (lambda arrays: arrays["a"], [[0, 1 / 3], [1 / 3, 0], [2 / 3, -1 / 3]]),
    "action_units_csv": (lambda units: units[0], [[0.5, 0.2], [0.1, 0.3]]),
    "split_json": (lambda split: [int(name[-1]) for name in split["train"] + split["val"] + split["test"]], range(5)),
    "parsing": (lambda regions: regions[0, :6], [0, 1, 1, 1, 3, 3]),
    "state_json": (lambda state: [*state.expression, *state.gaze], [0.1, 0.2, 0.1, 0.2]),
}
"""Numbers of what each reader returns, and what a whole file holds."""


@pytest.fixture(scope="module")
def fuzz():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("fuzz")


@pytest.fixture(scope="module")
def watch(fuzz):
    return fuzz.Watch()


@pytest.fixture(scope="module")
def readers(fuzz, tmp_path_factory):
    return {
        reader.name: reader for reader in sys.modules["fuzzed_readers"].all_readers(tmp_path_factory.mktemp("seeds"))
    }


@pytest.fixture(scope="module")
def layouts(fuzz, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        found = sys.modules["fuzzed_layouts"].layout_readers(tmp_path_factory.mktemp("layouts"))
    return {reader.name: reader for reader in found}


def test_no_reader_is_forgotten(readers, layouts):
    assert tuple(readers) == NAMES
    assert tuple(layouts) == LAYOUTS


@pytest.mark.parametrize("name", LAYOUTS)
def test_whole_folders_are_read(layouts, tmp_path, name):
    for beside, data in layouts[name].beside.items():
        (tmp_path / beside).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / beside).write_bytes(data)
    outputs = layouts[name].read(tmp_path / layouts[name].file_name)
    layout = next(each for each in NUM_TRAIN if name.startswith(each))
    expression = outputs.cameras.metadata["expression"]
    assert len(outputs.image_filenames) == len(expression) == NUM_TRAIN[layout]
    assert (expression.std(dim=0) > 0).any() and outputs.image_filenames[0].is_relative_to(tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LAYOUTS)
def test_damaged_folders_are_read_or_refused(fuzz, watch, layouts, tmp_path, name):
    outcome = fuzz.fuzz_reader(layouts[name], 20, 1, tmp_path, watch)
    assert outcome.unclean == [] and outcome.files == 20


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_read_or_refused(fuzz, watch, readers, tmp_path, name):
    outcome = fuzz.fuzz_reader(readers[name], NUM_FILES.get(name, 250), 1, tmp_path, watch)
    assert outcome.unclean == []
    assert outcome.files == NUM_FILES.get(name, 250)


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_whole_files_are_read(readers, tmp_path, name):
    reader = readers[name]
    for beside, data in reader.beside.items():
        (tmp_path / beside).write_bytes(data)
    (tmp_path / reader.file_name).write_bytes(reader.seeds[0])
    numbers, expected = WHOLE_FILES[name]
    np.testing.assert_allclose(numbers(reader.read(tmp_path / reader.file_name)), expected, atol=1e-6)


def test_watch_sees_what_leaves_the_folder(fuzz, watch, tmp_path):
    outside = tmp_path / "secret"
    outside.write_text("x")
    (tmp_path / "case").mkdir()
    reader = sys.modules["fuzzed_readers"].Reader("bad", "a", [b"0123"], lambda path: outside.read_text(), {})
    assert fuzz.fuzz_reader(reader, 2, 0, tmp_path / "case", watch).unclean == [
        f"case {number}: open {outside}" for number in range(2)
    ]


def test_damage_is_repeatable_and_damages(readers):
    mutated = sys.modules["mutations"].mutated
    seed = readers["track_json"].seeds[0]
    first = [mutated(seed, random.Random(number)) for number in range(50)]
    assert first == [mutated(seed, random.Random(number)) for number in range(50)]
    assert sum(data != seed for data in first) > 45
