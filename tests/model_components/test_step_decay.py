import pytest
import torch

from nerface_ns.model_components.step_decay import StepDecaySchedulerConfig


def test_rate_falls_by_the_factor_over_the_decay_steps():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=5e-4)
    scheduler = StepDecaySchedulerConfig(decay_steps=4).setup().get_scheduler(optimizer, 5e-4)
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([5e-4 * 0.1 ** (step / 4) for step in range(9)])


def test_state_holds_plain_numbers(tmp_path):
    """Else `ns-eval` cannot load the checkpoint (torch's `weights_only`)."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=5e-4)
    scheduler = StepDecaySchedulerConfig().setup().get_scheduler(optimizer, 5e-4)
    optimizer.step()
    scheduler.step()
    torch.save(scheduler.state_dict(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["last_epoch"] == 1
