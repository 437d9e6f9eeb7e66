import sys
from pathlib import Path

import numpy as np
import pytest

from nerface_ns.scripts.convert_track import ConvertTrackCommand, entrypoint, main
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_editing import resample, smooth
from nerface_ns.tracks.track_file import read_track, write_track


def make_track(
    count: int = 20, names: tuple[str, ...] = ("jawOpen", "smile"), seed: int = 0, **changes
) -> ExpressionTrack:
    expression = np.random.default_rng(seed).uniform(0, 1, (count, len(names))).astype(np.float32)
    return ExpressionTrack(10.0, names, expression, source="sample", **changes)


@pytest.fixture
def track_path(tmp_path):
    write_track(tmp_path / "a.json", make_track())
    return tmp_path / "a.json"


def run(monkeypatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["nerface-convert-track", *map(str, arguments)])
    entrypoint()


def test_command_line_cuts_smooths_and_resamples(track_path, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out" / "b.csv"
    run(
        monkeypatch,
        track_path,
        "--output",
        output,
        "--fps",
        "25",
        "--smooth",
        "savitzky-golay",
        "--start",
        "0.4",
        "--end",
        "1.2",
    )
    expected = resample(smooth(make_track(), "savitzky-golay"), 25.0).expression[10:30]
    np.testing.assert_allclose(read_track(output).expression, expected, atol=1e-6)
    assert capsys.readouterr().out == f"{output}: 20 frames, 0.80 s at 25 fps, 2 coefficients\n"


def test_inputs_are_joined_at_the_rate_of_the_first(track_path, tmp_path):
    write_track(tmp_path / "b.json", resample(make_track(seed=1), 20.0))
    joined = main(ConvertTrackCommand(inputs=(track_path, tmp_path / "b.json"), output=tmp_path / "c.json"))
    assert joined.frames_per_s == 10.0
    np.testing.assert_allclose(joined.expression[20:], make_track(seed=1).expression, atol=1e-6)


def test_what_does_not_fit_is_told(track_path, tmp_path, capsys):
    other = make_track(names=("JawOpen", "cheekPuff"), gaze=np.zeros((20, 2)), neutral=np.zeros(2))
    write_track(tmp_path / "b.json", other)
    main(ConvertTrackCommand(inputs=(track_path, tmp_path / "b.json"), output=tmp_path / "c.json", by_names=True))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "left out: gaze, which not all inputs have alike",
        "left out: neutral expression, which not all inputs have alike",
        "left out: 1 coefficients that not all inputs have: smile",
    ]


def test_what_csv_does_not_hold_is_told(tmp_path, capsys):
    write_track(tmp_path / "a.json", make_track(neutral=np.zeros(2), video=Path("/data/driver.mp4")))
    main(ConvertTrackCommand(inputs=(tmp_path / "a.json",), output=tmp_path / "b.csv"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "left out: neutral expression, which only .json holds",
        "left out: video, which only .json holds",
    ]


def test_live_link_recording(tmp_path, shared_data):
    command = ConvertTrackCommand(
        inputs=(shared_data / "head_model" / "alex_rom_3.csv",), output=tmp_path / "a.json", start=2.0, end=4.0
    )
    assert len(main(command)) == 60


def test_dataset(tmp_path, shared_data, capsys):
    command = ConvertTrackCommand(
        inputs=(shared_data / "head_a",), output=tmp_path / "a.json", dataparser="nerface-data", split="test"
    )
    track = main(command)
    assert "57 coefficients, head pose, gaze, pictures" in capsys.readouterr().out
    assert track.frames_per_s == 25.0 and track.source == "head_a, test"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.json", "--output", "b.json"), "none.json: expected a track file here, found none"),
        (("--output", "b.json"), "at least one input, or a --dataparser that needs none; got neither"),
        (("a.json", "--output", "b.txt"), "--output b.txt: expected a file ending in .json or .csv"),
        (("a.json", "--output", "a.json/b.json"), "b.json: cannot be written"),
        (("a.json", "--output", "b.json", "--fps", "0"), "frames per second above 0, up to 1000, got 0"),
        (("a.json", "--output", "b.json", "--start", "3"), "expected 0 <= start < end <= 2 s, its length, got 3 to 2"),
        ((".", "--output", "b.json"), "a run's config.yml, or --dataparser for a dataset"),
        (("config.yml", "--output", "b.json"), "config.yml: no such file; expected the config.yml of a training run"),
        ((".", "--output", "b.json", "--dataparser", "x"), "--dataparser 'x' is not registered"),
        (
            ("a.json", "--output", "b.json", "--smooth", "one-euro", "--one-euro.min-cutoff-hz", "0"),
            "One-Euro filter: expected min_cutoff_hz above 0 and finite, got 0",
        ),
    ],
)
def test_mistakes_end_in_one_clear_error(arguments, message, track_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments)
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and message in error and "Traceback" not in error
    assert not (tmp_path / "b.json").exists()
