from types import SimpleNamespace

import numpy as np
import pytest

from nerface_ns.evaluation.evaluation_protocol import EvaluationProtocol
from nerface_ns.evaluation.paper_protocol import paper_code_frame, paper_protocol


def parser(root, names, train_rows=None):
    """What a dataset's parser says of its training frames."""
    rows = np.arange(len(names)) if train_rows is None else np.array(train_rows)
    sequence = SimpleNamespace(root=root, splits={"train": SimpleNamespace(frame_names=names)})
    total = len(names) if train_rows is None else 12
    return SimpleNamespace(sequence=sequence, train_rows=rows, num_recorded_train_frames=total)


NAMES = [f"train/f_{number:04d}" for number in (0, 1, 2, 10, 11)]


def save_index_map(root, rows):
    np.save(root / "index_map.npy", np.stack([np.arange(len(rows)), rows], axis=1).astype(float))


def test_the_names_tell_without_an_index_map(tmp_path):
    """The frame numbered 10 stands in row 3."""
    row, how = paper_code_frame(parser(tmp_path, NAMES))
    assert row == 3
    assert how == "training frame 3, the recording's frame 10 (by its name)"


def test_index_map_goes_before_names(tmp_path):
    """Recorded frame 10 became training frame 7, whatever its file is called."""
    save_index_map(tmp_path, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 7, 11])
    names = [f"train/f_{number:04d}" for number in range(12)]
    assert paper_code_frame(parser(tmp_path, names))[0] == 7


def test_untrained_frame_lends_the_last_code(tmp_path):
    """An index of -1 is the last row in Python, and so it is in the release."""
    save_index_map(tmp_path, [*range(10), -1, 10, 11])
    row, how = paper_code_frame(parser(tmp_path, [f"train/f_{number:04d}" for number in range(12)]))
    assert row == 11
    assert "the last: index_map.npy has -1 for frame 10" in how


def test_row_counts_the_frames_that_are_kept(tmp_path):
    """With part of the training frames the code stands among those."""
    save_index_map(tmp_path, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 7, 11])
    assert paper_code_frame(parser(tmp_path, NAMES, train_rows=[0, 1, 3, 7, 8]))[0] == 3


def test_neighbour_lends_its_code_where_the_frame_was_not_trained_on(tmp_path):
    """Of 7, 8, 11, 12 the frame 11, in row 2; and frame 9 before frame 11 where both are as near."""
    names = [f"train/f_{number:04d}" for number in (7, 8, 11, 12)]
    assert paper_code_frame(parser(tmp_path, names)) == (2, "training frame 2, the recording's frame 11 (by its name)")
    assert paper_code_frame(parser(tmp_path, ["f_11", "f_9"]))[0] == 1


def test_frame_that_is_not_kept_has_a_neighbour_too(tmp_path):
    """Recorded frame 10 became row 7, which is left out; row 10, frame 9 of the recording, is kept."""
    save_index_map(tmp_path, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 7, 11])
    row, how = paper_code_frame(parser(tmp_path, NAMES, train_rows=[0, 1, 3, 8, 10]))
    assert (row, how) == (4, "training frame 4, the recording's frame 9 (index_map.npy)")


@pytest.mark.parametrize("names", [["train/a", "train/b"], ["train/f_1", "test/f_1"]])
def test_names_without_numbers_of_their_own_are_an_error(tmp_path, names):
    """No numbers, or one number twice."""
    with pytest.raises(ValueError, match=rf"{tmp_path}: expected index_map.npy, or .* with --code-frame"):
        paper_code_frame(parser(tmp_path, names))


def test_short_recording_is_named(tmp_path):
    save_index_map(tmp_path, [0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"index_map\.npy: expected more than 10 frames, got 5"):
        paper_code_frame(parser(tmp_path, NAMES))


def test_index_map_that_disagrees_is_named(tmp_path):
    save_index_map(tmp_path, [0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"index_map\.npy.*all 5 training frames, got 4"):
        paper_code_frame(parser(tmp_path, NAMES))


def test_protocol_says_what_it_does(tmp_path):
    protocol, text = paper_protocol(parser(tmp_path, NAMES))
    assert protocol == EvaluationProtocol("paper", "frame", 3, compares_as_paper=True)
    assert "latent code of training frame 3, the recording's frame 10" in text
    assert "8 bits" in text and "7x7" in text


def test_frame_by_hand_goes_before_the_papers(tmp_path):
    assert paper_protocol(parser(tmp_path, []), code_frame=2)[0].code_frame == 2
