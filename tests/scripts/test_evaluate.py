from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from nerface_ns.scripts.evaluate import EvaluateCommand, main, write_comparison


@pytest.fixture
def frame():
    outputs = {"rgb": torch.full((6, 8, 3), 0.2), "accumulation": torch.ones(6, 8, 1), "depth": torch.rand(6, 8, 1)}
    return SimpleNamespace(name="test/f_0007.png", truth=torch.full((6, 8, 3), 0.6), outputs=outputs)


def test_pictures_are_written_for_every_nth_frame(tmp_path, frame):
    """Frames 0 and 2 of 3, named for their order and their file, with the truth's values on the left."""
    for index in range(3):
        write_comparison(tmp_path, 2, (0.0, 1.0), "test", index, frame)
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["00000_f_0007.png", "00002_f_0007.png"]
    picture = np.array(Image.open(tmp_path / "test" / "00000_f_0007.png"))
    np.testing.assert_array_equal(picture[-6:, :8], 153)
    np.testing.assert_array_equal(picture[-6:, 8:16], 51)


def test_missing_config_is_named(tmp_path):
    """The error says what was expected."""
    with pytest.raises(FileNotFoundError, match=r"config.yml: no such file; expected the config.yml of a training run"):
        main(EvaluateCommand(load_config=tmp_path / "config.yml"))


def test_unwritable_output_comes_before_loading(tmp_path):
    """The output folder is tried first."""
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"--output-dir .*file: cannot write there"):
        main(EvaluateCommand(load_config=tmp_path / "config.yml", output_dir=tmp_path / "file"))
