import json

import pytest

from nerface_ns.evaluation.run_record import (
    peak_rss_mb,
    process_age_s,
    require_writable_folder,
    run_record,
    write_json,
)


def test_record_says_what_figures_depend_on():
    """Machine, versions, commit and date are there and can be stored as JSON."""
    record = json.loads(json.dumps(run_record()))
    assert set(record) == {"machine", "versions", "commit", "date"}
    assert record["machine"]["cores"] >= 1
    assert record["versions"]["nerfstudio"] == "1.1.5"


def test_record_does_not_identify_the_machine():
    """No host name and no path is published."""
    import platform

    text = json.dumps(run_record())
    assert "/" not in text.replace("Linux/", "")
    assert len(platform.node()) < 3 or platform.node() not in text


def test_peak_memory_is_that_of_a_python_process():
    """Between 20 MB and 1 TB: the unit is right."""
    assert 20 < peak_rss_mb() < 2**20


def test_process_age_counts_from_the_start():
    """The age grows and includes the time before this module was imported."""
    first = process_age_s()
    assert 0.05 < first <= process_age_s()


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_unwritable_folder_is_named(tmp_path, folder):
    """A folder that cannot be made gives the option and the path."""
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=rf"--output-dir {tmp_path / folder}: cannot write there"):
        require_writable_folder(tmp_path / folder, "--output-dir")


def test_writable_folder_is_made_and_left_empty(tmp_path):
    """Parents are made; the probe leaves nothing."""
    require_writable_folder(tmp_path / "a" / "b", "--output-dir")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_json_is_written_whole_or_not_at_all(tmp_path):
    """NaN is refused, and the earlier file survives."""
    path = tmp_path / "scores.json"
    write_json(path, {"psnr": 30.5, "lpips": None})
    assert json.loads(path.read_text()) == {"psnr": 30.5, "lpips": None}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"psnr": float("nan")})
    assert json.loads(path.read_text())["psnr"] == 30.5
    assert list(tmp_path.iterdir()) == [path]
