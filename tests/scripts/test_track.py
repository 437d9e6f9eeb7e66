import subprocess
import sys

import pytest
import tyro

from nerface_ns.scripts.track import TrackCommand, main


def test_flags_are_those_of_the_readme(tmp_path):
    command = tyro.cli(
        TrackCommand,
        args=f"clip.mp4 --output-dir {tmp_path} --start 1 --end 9 --fps 25 --max-frames 50 --faces error --no-matte "
        "--size 256 --landmarker face.task --bundle-adjustment.focal-px 900".split(),
    )
    assert (command.start, command.end, command.fps, command.max_frames) == (1, 9, 25, 50)
    assert (command.config.faces, command.config.matte, command.config.size) == ("error", False, 256)
    assert command.config.bundle_adjustment.focal_px == 900


def test_missing_video_makes_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a video here"):
        main(TrackCommand(video=tmp_path / "none.mp4", output_dir=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_error_is_one_line(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    program = [sys.executable, "-m", "nerface_ns.scripts.track", str(tmp_path / "broken.mp4")]
    done = subprocess.run(
        [*program, "--output-dir", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and "expected a video" in done.stderr and "Traceback" not in done.stderr
