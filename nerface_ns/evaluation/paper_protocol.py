"""NerFace's own evaluation: the test split with one training frame's latent code throughout."""

from __future__ import annotations

from typing import Any

from nerface_ns.data.index_map import INDEX_MAP_FILE, read_index_map
from nerface_ns.data.recorded_splits import trailing_number
from nerface_ns.evaluation.evaluation_protocol import PAPER, EvaluationProtocol

PAPER_SPLIT = "test"
"""The recording's last frames."""
PAPER_METRICS = ("l1", "psnr", "ssim", "lpips")
"""In the order of the paper's table."""
PAPER_RECORDED_FRAME = 10
"""Place in the recording of the frame that lends its code (release, `eval_transformed_rays.py`: `idx_map[10, 1]`). Its
authors say that any training frame would do (their issue 14)."""


def paper_code_frame(dataparser: Any) -> tuple[int, str]:
    """Return the training frame whose code NerFace's evaluation gives every test frame, and how it was found.

    The release shuffles the training frames, and `index_map.npy` knows their places in the recording. Without it names
    tell them, and where frame 10 was not trained on, the training frame next to it lends its code.

    Args:
        dataparser: One of this package's, for the run's data.

    Raises:
        ValueError: The training frames' places in the recording are not known, or `index_map.npy` disagrees.
    """
    path, kept_rows = dataparser.sequence.root / INDEX_MAP_FILE, dataparser.train_rows
    if path.is_file():
        index_map = read_index_map(path, dataparser.num_recorded_train_frames)
        if len(index_map) <= PAPER_RECORDED_FRAME:
            raise ValueError(f"{path}: expected more than {PAPER_RECORDED_FRAME} frames, got {len(index_map)}")
        if index_map[PAPER_RECORDED_FRAME] < 0:
            # The release indexes its codes with this -1, which in Python is the last frame.
            last = len(kept_rows) - 1
            return last, f"training frame {last}, the last: {INDEX_MAP_FILE} has -1 for frame {PAPER_RECORDED_FRAME}"
        place = {int(row): frame for frame, row in enumerate(index_map)}
        recorded, source = [place[int(row)] for row in kept_rows], INDEX_MAP_FILE
    else:
        names, source = dataparser.sequence.splits["train"].frame_names, "by its name"
        recorded = [trailing_number(name) for name in names]
    known = {frame: row for row, frame in enumerate(recorded) if frame is not None}
    if len(known) < len(recorded):
        raise ValueError(
            f"{dataparser.sequence.root}: expected {INDEX_MAP_FILE}, or training frames whose names end in their "
            "number in the recording, found neither; name the frame that lends its latent code with --code-frame"
        )
    frame = min(known, key=lambda number: (abs(number - PAPER_RECORDED_FRAME), number))
    return known[frame], f"training frame {known[frame]}, the recording's frame {frame} ({source})"


def paper_protocol(dataparser: Any, code_frame: int | None = None) -> tuple[EvaluationProtocol, str]:
    """Return NerFace's protocol for a dataset and a sentence that says what it does.

    Args:
        dataparser: The run's.
        code_frame: Training frame that lends its code instead of NerFace's choice.
    """
    row, how = paper_code_frame(dataparser) if code_frame is None else (code_frame, f"training frame {code_frame}")
    text = (
        f"NerFace's evaluation: means over the frames of whole images, cut to 8 bits; SSIM over flat 7x7 windows for a "
        f"range of 2; LPIPS of [0, 1] unscaled; latent code of {how}"
    )
    return EvaluationProtocol(PAPER, "frame", row, compares_as_paper=True), text
