import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def curves(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("training_curve")


@pytest.fixture
def versus_paper(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("versus_paper")


class FakeTraining:
    """Steps of one second each."""

    def __init__(self):
        self.seconds, self.steps = 0.0, 0

    def run(self, until_s: float) -> None:
        while True:
            self.seconds, self.steps = self.seconds + 1, self.steps + 1
            if self.seconds >= until_s:
                break


def contender(versus_paper, rate: float, goal: float, limit_s: float, score_s: float = 0.0):
    """A contender whose PSNR grows by `rate` dB a second from 20."""
    return versus_paper.Contender(
        FakeTraining(), lambda training: (20 + rate * training.seconds, score_s), goal, limit_s, 1.5, 2.0
    )


def test_time_to_a_threshold_is_linear_between_points(curves):
    """From 20 dB at 2 s to 30 dB at 6 s, 25 dB is half way."""
    curve = curves.TrainingCurve([0, 2, 6], [0, 1, 2], [10, 20, 30])
    assert curve.seconds_to(25) == 4.0
    assert curve.seconds_to(20) == 2.0
    assert curve.seconds_to(5) == 0
    assert curve.seconds_to(31) is None


def test_the_first_crossing_counts(curves):
    """Quality that is lost and found again was reached before."""
    curve = curves.TrainingCurve([0, 1, 2, 3], [0, 1, 2, 3], [20, 26, 24, 30])
    assert curve.seconds_to(25) == pytest.approx(5 / 6)


def test_speedup_is_the_recipes_time_over_the_rounds_median(versus_paper, curves):
    """25 dB after 1, 2 and 9 s, and after 100 s; 30 dB the recipe had not reached after 100 s."""
    rounds = [curves.TrainingCurve([0, end], [0, 1], [20, 30]) for end in (2.0, 4.0, 18.0)]
    record = versus_paper.comparison(rounds, curves.TrainingCurve([0, 100], [0, 1], [15, 25]), (25.0, 30.0))
    assert record["speedup_to_25db"] == 50.0
    assert record["seconds_to_25db"] == {"nerface": 2.0, "nerface_rounds": [1.0, 2.0, 9.0], "nerface-paper": 100.0}
    assert record["speedup_to_30db"] is None
    assert (record["speedup_at_least"], record["speedup_at_least_to_db"]) == (25.0, 30.0)


def test_no_speedup_where_a_round_missed(versus_paper, curves):
    """A median of the rounds that got there would flatter."""
    rounds = [curves.TrainingCurve([0, 1], [0, 1], [20, end]) for end in (30, 21)]
    record = versus_paper.comparison(rounds, curves.TrainingCurve([0, 100], [0, 1], [15, 35]), (25.0,))
    assert record["speedup_to_25db"] is None and "speedup_at_least" not in record


def test_no_speedup_over_no_time(versus_paper, curves):
    """A threshold below the first picture says nothing."""
    record = versus_paper.comparison(
        [curves.TrainingCurve([0], [0], [20])], curves.TrainingCurve([0], [0], [20]), (10.0,)
    )
    assert record["speedup_to_10db"] is None and "speedup_at_least" not in record


def test_pauses_grow(versus_paper):
    """First at 2 s, then 1.5 times as late each time, in whole steps, and never later than the limit."""
    one = contender(versus_paper, rate=0.0, goal=30.0, limit_s=10.0)
    while not one.is_done:
        one.advance()
    assert one.curve.seconds == [0, 2, 3, 5, 8, 10]


def test_training_takes_as_long_as_scoring(versus_paper):
    """Scoring of 4 s each is at most half of the whole time."""
    one = contender(versus_paper, rate=0.0, goal=30.0, limit_s=12.0, score_s=4.0)
    while not one.is_done:
        one.advance()
    assert one.curve.seconds == [0, 4, 8, 12]


def test_rounds_follow_each_other_beside_the_recipe(versus_paper):
    """Each round ends at its goal, the recipe at its limit, and they alternate as long as both last."""
    said = []
    other = contender(versus_paper, rate=0.1, goal=30.0, limit_s=10.0)
    rounds = [lambda: contender(versus_paper, rate=5.0, goal=30.0, limit_s=10.0)] * 2
    curves = versus_paper.take_turns(rounds, other, lambda line: said.append(line.split(":")[0]))
    assert [curve.seconds for curve in curves] == [[0, 2], [0, 2]]
    assert other.curve.seconds == [0, 2, 3, 5, 8, 10]
    assert said == ["nerface", "nerface-paper"] * 4 + ["nerface-paper"] * 2
