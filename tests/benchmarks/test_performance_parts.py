import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class FakeClock:
    """Passes only when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def part_timer(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("part_timer")


@pytest.fixture
def step_breakdown(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("step_breakdown")


def test_an_inner_part_stops_the_outer_clock(part_timer):
    """1 s before and 4 s after an inner part of 2 s."""
    clock = FakeClock()
    timer = part_timer.PartTimer(clock, lambda: None)
    inner = timer.wrap("inner", clock.work)

    def outer() -> None:
        clock.work(1)
        inner(2)
        clock.work(4)

    timer.wrap("outer", outer)()
    clock.work(100)
    inner(8)
    assert timer.seconds == {"outer": 5, "outer.inner": 2, "inner": 8}


def test_an_error_ends_its_part(part_timer):
    clock = FakeClock()
    timer = part_timer.PartTimer(clock, lambda: None)

    def fails() -> None:
        clock.work(3)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        timer.wrap("one", fails)()
    timer.wrap("two", clock.work)(1)
    assert timer.seconds == {"one": 3, "two": 1}


def test_points_are_counted_by_path(part_timer):
    timer = part_timer.PartTimer(FakeClock(), lambda: None)
    asked = timer.wrap("networks", len, counts_points=True)
    timer.wrap("sampling", lambda: [asked([1, 2]), asked([3])])()
    asked([4])
    assert timer.points == {"sampling.networks": 3, "networks": 1}


def test_parts_add_up_to_the_step(part_timer):
    """What no part has is under "other"; a refresh counts with all that it asks."""
    timer = part_timer.PartTimer(FakeClock(), lambda: None)
    timer.seconds.update(
        {
            "other": 1.0,
            "other.data": 2.0,
            "other.refresh": 0.5,
            "other.refresh.networks.grid": 0.5,
            "other.render.sampling": 4.0,
            "other.render.sampling.networks.warp": 8.0,
            "other.render": 16.0,
            "other.losses": 32.0,
            "other.backward.grid": 64.0,
        }
    )
    parts = part_timer.step_parts_ms(timer, 10)
    assert sum(parts.values()) == pytest.approx(1000 * 128 / 10)
    groups = part_timer.grouped(parts)
    assert sum(groups.values()) == pytest.approx(1000 * 128 / 10)
    assert groups["sampling"] == pytest.approx(1200)
    assert groups["compositing_and_losses"] == pytest.approx(4800)
    assert groups["occupancy_refresh"] == pytest.approx(100)
    assert groups["backward"] == pytest.approx(6400)
    assert groups["other"] == pytest.approx(100)


def test_figures_of_turns(step_breakdown):
    """10 steps of 100 rays with 5 samples each in 1, 2 and 9 s: 200 ms and 400 microseconds a sample."""
    turns = [step_breakdown.Turn(seconds, 10, 1000, 5000.0) for seconds in (1.0, 9.0, 2.0)]
    assert step_breakdown.turns_summary(turns) == {
        "step_ms": 200.0,
        "rays_per_step": 100.0,
        "samples_per_ray": 5.0,
        "samples_per_step": 500.0,
        "rays_per_s": 500.0,
        "us_per_sample": 400.0,
    }


def test_rays_for_equal_samples(step_breakdown):
    assert step_breakdown.equal_rays(20_000, 48) == 417
    assert step_breakdown.equal_rays(10, 48) == 1
