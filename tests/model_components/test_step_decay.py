import pytest
import torch

from nerface_ns.model_components.step_decay import StepDecaySchedulerConfig


def rates_of(num_steps: int, **settings) -> list[float]:
    """The rate at which each step is taken."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=5e-4)
    scheduler = StepDecaySchedulerConfig(**settings).setup().get_scheduler(optimizer, 5e-4)
    rates = []
    for _ in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_rate_falls_by_the_factor_over_the_decay_steps():
    assert rates_of(9, decay_steps=4, lag_steps=0) == pytest.approx([5e-4 * 0.1 ** (step / 4) for step in range(9)])


def test_rate_is_the_release_loops():
    """NerFace takes step i, then computes from i the rate that step i + 1 is taken at."""
    rate, expected = 5e-4, []
    for step in range(9):
        expected.append(rate)
        rate = 5e-4 * 0.1 ** (step / 4)
    assert rates_of(9, decay_steps=4) == pytest.approx(expected)


def test_state_holds_plain_numbers(tmp_path):
    """Else `ns-eval` cannot load the checkpoint (torch's `weights_only`)."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=5e-4)
    scheduler = StepDecaySchedulerConfig().setup().get_scheduler(optimizer, 5e-4)
    optimizer.step()
    scheduler.step()
    torch.save(scheduler.state_dict(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["last_epoch"] == 1
