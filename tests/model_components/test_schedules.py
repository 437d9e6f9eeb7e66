import io
import math

import pytest
import torch

from nerface_ns.model_components.schedules import TrainingProgress, WarmupDecaySchedulerConfig

CONFIG = WarmupDecaySchedulerConfig(warmup_steps=10, hold_fraction=0.2, final_factor=0.01, max_steps=100)


def make_scheduler(lr: float = 0.5):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    return CONFIG.setup().get_scheduler(optimizer, lr)


def expected_rate(step: int, lr: float = 0.5) -> float:
    """Linear to step 10, constant to step 20, then a hundredfold fall along a straight line of logarithms."""
    warmup = min((step + 1) / 10, 1.0)
    return lr * warmup * 10 ** (-2 * max(step - 20, 0) / 80)


def run(scheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def test_rates_follow_the_closed_form():
    assert run(make_scheduler(), 101) == pytest.approx([expected_rate(step) for step in range(101)])


def test_steps_beyond_the_last_keep_the_final_rate():
    assert run(make_scheduler(), 150)[-1] == pytest.approx(0.5 * 0.01)


def test_a_clock_can_drive_the_decay():
    scheduler = make_scheduler()
    run(scheduler, 30)
    scheduler.training_progress.set_fraction(0.6)
    assert run(scheduler, 2)[1] == pytest.approx(0.5 * math.exp(math.log(0.01) * 0.5))


def plain_numbers(value) -> bool:
    """Whether nothing but Python's own numbers, lists and dictionaries is in there."""
    if isinstance(value, dict):
        return all(plain_numbers(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(plain_numbers(item) for item in value)
    return value is None or type(value) in (int, float, bool)


def test_state_survives_a_safe_load_and_goes_on():
    """nerfstudio loads checkpoints with torch's defaults, which refuse numpy's scalars."""
    scheduler, resumed = make_scheduler(), make_scheduler()
    run(scheduler, 37)
    assert plain_numbers(scheduler.state_dict())
    file = io.BytesIO()
    torch.save(scheduler.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    assert run(resumed, 5)[1:] == pytest.approx([expected_rate(step) for step in range(38, 42)])


def test_progress_counts_steps_until_it_is_told():
    progress = TrainingProgress(200)
    assert [progress.fraction(step) for step in (-5, 0, 50, 200, 300)] == [0, 0, 0.25, 1, 1]
    progress.set_fraction(0.3)
    assert progress.fraction(0) == 0.3
