"""README says what the committed files say."""

import importlib
import json
import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("readme_figures")


@pytest.fixture
def made_up(figures, monkeypatch, tmp_path):
    """Passages' files are this folder's."""
    content = {"psnr": 40.25, "share": 0.937, "memory_mb": [1523.3], "name": "x"}
    (tmp_path / "run.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    figures._read.cache_clear()
    yield figures
    figures._read.cache_clear()


def test_readme_holds_the_files_figures(figures):
    readme = figures.README.read_text(encoding="utf-8")
    changed, wrong = figures.update(readme, figures.read_passages())
    assert wrong == [] and changed == readme


def test_every_decimal_of_the_results_has_its_file(figures):
    section = re.search(r"\n## Results\n.*?(?=\n## )", figures.README.read_text(encoding="utf-8"), re.DOTALL)
    assert section is not None
    assert figures.decimals_without_file(section.group(), figures.read_passages()) == []


def test_figures_are_formatted_as_asked(made_up):
    passage = made_up.Passage.parse("{run|psnr|.1f} dB, {run|share|.0%} %\nin {run|memory_mb.0|0.001*.1f} GB")
    assert passage.filled() == "40.2 dB, 94 % in 1.5 GB"


def test_a_wrong_figure_is_found_and_mended_across_line_breaks(made_up):
    passage = made_up.Passage.parse("a test of {run|psnr|.2f} dB over {run|share|.0%} %")
    readme = "Here: a test\nof 39.00 dB\nover 94 % of it.\n"
    changed, wrong = made_up.update(readme, [passage])
    assert wrong == ["a test of 40.25 dB over 94 %"]
    assert changed == "Here: a test\nof 40.25 dB\nover 94 % of it.\n"
    assert made_up.update(changed, [passage]) == (changed, [])


def test_a_passage_that_readme_lacks(made_up):
    passage = made_up.Passage.parse("another test of {run|psnr|.2f} dB")
    assert made_up.update("a test of 40.25 dB", [passage])[1] == ["missing: another test of 40.25 dB"]


def test_a_decimal_outside_all_passages(made_up):
    passage = made_up.Passage.parse("a test of {run|psnr|.2f} dB")
    text = "a test of 40.25 dB\nand 1.5 more\n"
    assert made_up.decimals_without_file(text, [passage]) == ["and 1.5 more"]


@pytest.mark.parametrize(("path", "found"), [("ssim", "got none"), ("memory_mb.1", "got none"), ("name", "got 'x'")])
def test_a_figure_that_the_file_lacks(made_up, path, found):
    with pytest.raises(ValueError, match=f"run.json: expected a number at {path}, {found}"):
        made_up.Figure("run", path, ".1f").text()
