import torch

from nerface_ns.model_components.adam import LEAST_MOMENTS, FaceAdamConfig


def test_fused_steps_match_the_formula():
    """Two steps of Adam (Kingma and Ba 2015, algorithm 1)."""
    config = FaceAdamConfig(lr=0.1)
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = config.setup(params=[parameter])
    expected, first, second = parameter.detach().clone(), torch.zeros(2), torch.zeros(2)
    for step, gradient in enumerate([torch.tensor([0.5, 1e-9]), torch.tensor([-1.0, 3.0])], start=1):
        parameter.grad = gradient
        optimizer.step()
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        expected -= 0.1 * (first / (1 - 0.9**step)) / ((second / (1 - 0.99**step)).sqrt() + 1e-15)
    torch.testing.assert_close(parameter.detach(), expected)


def fade(optimizer, parameter, steps):
    """One gradient for the first entry and then none, always one for the second."""
    for _ in range(steps):
        first = 1e-3 if len(optimizer.state) == 0 else 0.0
        parameter.grad = torch.tensor([first, 1e-3])
        optimizer.step()


def test_moments_do_not_fade_into_denormal_numbers():
    """After 900 steps without a gradient the first moment would be 1e-4 x 0.9^900 = 7e-46; the numbers stay Adam's."""
    ours = torch.nn.Parameter(torch.zeros(2))
    optimizer = FaceAdamConfig(lr=1e-2).setup(params=[ours])
    plain = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    oracle = torch.optim.Adam([plain], lr=1e-2, eps=1e-15, betas=(0.9, 0.99))
    least = torch.finfo(torch.float32).tiny
    for _ in range(900):
        fade(optimizer, ours, 1)
        plain.grad = ours.grad.double()
        oracle.step()
        for name in LEAST_MOMENTS:
            moment = optimizer.state[ours][name].abs()
            assert ((moment == 0) | (moment >= least)).all()
    assert optimizer.state[ours]["exp_avg"][0] == 0 and optimizer.state[ours]["exp_avg"][1] > 9e-4
    assert optimizer.state[ours]["exp_avg_sq"][0] > 0  # 1e-8 x 0.99^900 = 1e-12 still counts
    torch.testing.assert_close(ours.detach().double(), plain.detach(), rtol=1e-4, atol=1e-6)


def test_resumed_moments_are_flushed_when_they_would_have_been():
    """A stop at step 250 and a new optimizer change no bit of step 620."""
    whole, halves = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    optimizer = FaceAdamConfig(lr=1e-2).setup(params=[whole])
    fade(optimizer, whole, 620)
    first = FaceAdamConfig(lr=1e-2).setup(params=[halves])
    fade(first, halves, 250)
    second = FaceAdamConfig(lr=1e-2).setup(params=[halves])
    second.load_state_dict(first.state_dict())
    fade(second, halves, 370)
    assert torch.equal(whole, halves)
    for name in LEAST_MOMENTS:
        assert torch.equal(optimizer.state[whole][name], second.state[halves][name])
