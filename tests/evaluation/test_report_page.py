from __future__ import annotations

import base64
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from nerface_ns.evaluation.extra_scores import ExtraScores
from nerface_ns.evaluation.report_chart import HEIGHT, LEFT, RIGHT, TOP, WIDTH, line_chart
from nerface_ns.evaluation.report_page import report_page, write_page
from nerface_ns.evaluation.report_recorder import ReportRecorder, side_by_side
from nerface_ns.evaluation.split_scores import RenderedFrame, SplitScores
from nerface_ns.model_components.image_metrics import region_scores


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def a_frame(number: int) -> RenderedFrame:
    generator = torch.Generator().manual_seed(number)
    truth = torch.rand(24, 32, 3, generator=generator)
    return RenderedFrame(f"test/f_{number}", truth, {"rgb": truth * 0.9}, {"face": torch.tensor([0.0, 0.5, 0.0, 1.0])})


@pytest.fixture
def pipeline(tmp_path):
    """Three frames whose parsings are hair above and background below."""
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(np.repeat([17, 0], 12).astype(np.uint8)[:, None].repeat(32, axis=1)).save(path)
    metadata = {
        "image_size": (24, 32),
        "frame_names": [f"test/f_{number}" for number in range(3)],
        "parsing_filenames": paths,
        "stored_image_size": (24, 32),
    }
    datamanager = SimpleNamespace(
        dataparser=SimpleNamespace(get_dataparser_outputs=lambda split: SimpleNamespace(metadata=metadata))
    )
    return SimpleNamespace(datamanager=datamanager)


def test_page_holds_tables_curves_and_a_video(pipeline, tmp_path):
    """Nothing is fetched from elsewhere; the video's pictures are the frames; figures stand in the table."""
    recorder, scores = ReportRecorder(pipeline), SplitScores("test")
    for number in range(3):
        frame = a_frame(number)
        recorder.add("test", frame)
        scores.add(frame, region_scores(frame.outputs["rgb"], frame.truth, frame.boxes))
    page = report_page("nerface <3>, step 9", ["a note & more"], {"test": scores}, recorder.splits, recorder.videos())
    recorder.close()
    write_page(tmp_path / "report.html", page)
    assert (tmp_path / "report.html").read_text() == page and not (tmp_path / "report.html.part").exists()
    assert "nerface &lt;3&gt;, step 9" in page and "a note &amp; more" in page
    assert not re.search(r'(src|href)="(?!data:)', page) and "http" not in page
    rows = re.findall(r"<tr><td>(\w+)</td>(.*?)</tr>", page)
    assert [name for name, _ in rows] == ["full", "face", "background", "hair"]
    first = re.findall(r"<td>(.*?)</td>", rows[0][1])
    assert first[0] == f"{scores.mean()['full']['psnr']:.2f}"
    assert f"{recorder.splits['test'].mean()['hair']['l2']:.5f}" in rows[3][1]
    assert page.count("<svg") == 2
    video = base64.b64decode(re.search(r"data:video/mp4;base64,([^\"]+)", page)[1])
    (tmp_path / "video.mp4").write_bytes(video)
    import imageio.v3

    pictures = imageio.v3.imread(tmp_path / "video.mp4", plugin="FFMPEG")
    expected = side_by_side(a_frame(1))
    assert pictures.shape == (3, *expected.shape)
    # Enlarged noise of 24 lines loses colour to the codec's half resolution: brightness tells.
    assert np.abs(pictures[1].mean(axis=-1) - expected.mean(axis=-1)).mean() < 8


def test_chart_places_values():
    """The lowest at the bottom, the highest at the top, in order from left to right; a gap ends a line."""
    chart = line_chart({"full": [10.0, 20.0, None, 15.0]}, "dB")
    (first, second) = re.findall(r'points="([^"]+)"', chart)
    right = WIDTH - RIGHT - LEFT
    points = [tuple(map(float, point.split(","))) for point in f"{first} {second}".split()]
    bottom = HEIGHT - 28
    expected = [(LEFT, bottom), (LEFT + right / 3, TOP), (LEFT + right, (TOP + bottom) / 2)]
    np.testing.assert_allclose(points, expected, atol=0.06)


@pytest.mark.parametrize("line", [[], [None, None]])
def test_nothing_to_draw(line):
    assert line_chart({"full": line}, "dB") == ""


def test_one_value():
    assert "polyline" in line_chart({"full": [3.0]}, "dB")


def test_splits_without_parsing(pipeline):
    """Only what boxes and mattes tell."""
    pipeline.datamanager.dataparser.get_dataparser_outputs("test").metadata.pop("parsing_filenames")
    recorder = ReportRecorder(pipeline)
    recorder.add("test", a_frame(0))
    assert set(recorder.as_json()["test"]) == {"full", "face"}
    recorder.videos()
    recorder.close()


def test_page_of_no_extra_figures():
    scores = SplitScores("val")
    frame = a_frame(0)
    scores.add(frame, region_scores(frame.outputs["rgb"], frame.truth, {}))
    assert "<h2>val, 1 frames</h2>" in report_page("title", [], {"val": scores}, {"test": ExtraScores()}, {})
