import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from nerface_ns.scripts import benchmark
from nerface_ns.scripts.benchmark import TrainCommand, benchmark_record, entrypoint, markdown_table

FIGURES = {"psnr": 34.567, "ssim": 0.95, "l1": 0.0123, "lpips": None}
REPORT = SimpleNamespace(steps=1200, rays_per_s=2048.04, samples_per_ray=17.126)


@pytest.fixture
def command(tmp_path):
    return TrainCommand(
        method="nerface",
        data=tmp_path / "head_a",
        minutes=15.0,
        output_dir=tmp_path / "runs",
        json=tmp_path / "figures.json",
        resolution=128,
    )


def test_record_has_the_figures_speed_and_circumstances(command):
    """Every key of the published format, and nothing that JSON cannot hold."""
    figures = {"test": {**FIGURES, "face": FIGURES}, "nvs": FIGURES}
    record = json.loads(json.dumps(benchmark_record(command, ["--x", "1"], figures, REPORT, 899.8, "mean")))
    assert set(record) == {
        *("test", "nvs", "steps", "wall_s", "rays_per_s", "samples_per_ray", "peak_rss_mb", "code_protocol", "poses"),
        *("machine", "versions", "commit", "date", "run"),
    }
    assert record["test"]["face"]["psnr"] == 34.567
    assert (record["steps"], record["wall_s"], record["rays_per_s"], record["samples_per_ray"]) == (
        *(1200, 899.8),
        *(2048.0, 17.13),
    )
    assert record["code_protocol"] == "mean"


def test_record_says_what_was_run_without_paths(command, tmp_path):
    """The dataset goes by its folder's name."""
    record = benchmark_record(command, ["--x", "1"], {}, REPORT, 899.8, None)
    assert record["run"] == {
        "method": "nerface",
        "data": "head_a",
        "dataparser": None,
        "minutes": 15.0,
        "resolution": 128,
        "seed": 42,
        "max_frames": None,
        "overrides": ["--x", "1"],
    }
    assert str(tmp_path) not in json.dumps(record)


def test_table_has_a_row_for_every_split(command, tmp_path):
    """Full-image figures, then each region's PSNR; a dash where there is none."""
    figures = {"test": {**FIGURES, "mouth": FIGURES}, "nvs": FIGURES}
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(benchmark_record(command, [], figures, REPORT, 899.8, "mean")))
    lines = markdown_table([path]).splitlines()
    assert lines[2] == "| nerface | head_a at 128 | 15 | test | 34.57 | 0.9500 | 0.0123 | - | - | 34.57 | - | - |"
    assert lines[3].startswith("| nerface | head_a at 128 | 15 | nvs | 34.57 |")


@pytest.mark.parametrize(("content", "message"), [("[]", "expected a JSON object"), ("{", "expected JSON")])
def test_table_names_a_file_that_is_no_benchmark(tmp_path, content, message):
    """The error names the file and what it lacks."""
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"{path}: {message}"):
        markdown_table([path])


def arguments(tmp_path, **changes):
    options = {
        "data": tmp_path,
        "minutes": 0.1,
        "output-dir": tmp_path / "runs",
        "json": tmp_path / "f.json",
        **changes,
    }
    return ["train", "nerface", *(str(part) for name, value in options.items() for part in (f"--{name}", value))]


def test_options_after_two_dashes_go_to_the_method(tmp_path, monkeypatch):
    """What stands before `--` is ours."""
    heard = []
    monkeypatch.setattr(benchmark, "main", lambda command, overrides: heard.append((command, overrides)))
    entrypoint([*arguments(tmp_path, resolution=128), "--", "--pipeline.model.x", "3"])
    assert heard[0][0].resolution == 128
    assert heard[0][0].data == Path(tmp_path)
    assert heard[0][1] == ["--pipeline.model.x", "3"]


def test_speed_runs_the_repositorys_script(tmp_path, monkeypatch, capfd):
    """With the options given, those after `--` too; its exit status is the command's."""
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sys.argv[1:]); raise SystemExit(len(sys.argv))")
    monkeypatch.setattr(benchmark, "SPEED_SCRIPT", script)
    with pytest.raises(SystemExit) as ended:
        entrypoint(["speed", "--output-dir", str(tmp_path), "--resolution", "64", "--", "--skip", "scaling"])
    assert ended.value.code == 7
    assert capfd.readouterr().out.strip() == str(
        ["--output-dir", str(tmp_path), "--resolution", "64", "--skip", "scaling"]
    )


def test_speed_needs_a_checkout(tmp_path, monkeypatch, capsys):
    """Installed as a wheel there is no script; the error says what to do."""
    assert benchmark.SPEED_SCRIPT.is_file()
    monkeypatch.setattr(benchmark, "SPEED_SCRIPT", tmp_path / "none.py")
    with pytest.raises(SystemExit) as ended:
        entrypoint(["speed", "--output-dir", str(tmp_path)])
    assert ended.value.code == 1
    assert "install from a checkout" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["output-dir", "json"])
def test_unwritable_output_ends_it_before_training(tmp_path, capsys, option):
    """One clear error, exit status 1, no traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        entrypoint(arguments(tmp_path, **{option: tmp_path / "file" / "below" / "it"}))
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(f"Error: --{option} {tmp_path}")
    assert "cannot write there" in error
    assert error.count("\n") == 1


def test_minutes_must_be_positive(tmp_path, capsys):
    """A training of no time is refused."""
    with pytest.raises(SystemExit):
        entrypoint(arguments(tmp_path, minutes=0))
    assert "--minutes needs to be positive, got 0" in capsys.readouterr().err
