import pytest
import torch

from nerface_ns.configs.method_configs import nerface
from nerface_ns.model_components.frame_adam import FrameAdamConfig

BETAS = (0.7, 0.9)


def make_optimizer(start: torch.Tensor, **settings):
    parameter = torch.nn.Parameter(start.clone())
    return parameter, FrameAdamConfig(lr=0.1, **settings).setup(params=[parameter])


def take_step(parameter, optimizer, gradient: torch.Tensor) -> torch.Tensor:
    """By how much a step moves."""
    before = parameter.detach().clone()
    parameter.grad = gradient
    optimizer.step()
    return parameter.detach() - before


def test_steps_match_a_loop_over_frames():
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 3, generator=generator)
    parameter, optimizer = make_optimizer(start)
    expected, first, second = start.clone(), {}, {}
    for _ in range(6):
        gradient = torch.zeros(5, 3)
        drawn = torch.randperm(5, generator=generator)[:2].tolist()
        gradient[drawn] = torch.randn(2, 3, generator=generator)
        for frame in drawn:
            g = gradient[frame]
            first[frame] = BETAS[0] * first.get(frame, torch.zeros(3)) + (1 - BETAS[0]) * g
            second[frame] = BETAS[1] * second[frame] + (1 - BETAS[1]) * g**2 if frame in second else g**2
        scale = torch.stack(list(second.values())).mean(dim=0).sqrt()
        for frame in drawn:
            expected[frame] -= 0.1 * first[frame] / scale
        take_step(parameter, optimizer, gradient)
    torch.testing.assert_close(parameter.detach(), expected)


def test_frames_that_were_not_drawn_stay_with_their_moments():
    parameter, optimizer = make_optimizer(torch.ones(3, 2))
    take_step(parameter, optimizer, torch.ones(3, 2))
    moments = {name: optimizer.state[parameter][name].clone() for name in ("exp_avg", "exp_avg_sq")}
    moved = take_step(parameter, optimizer, torch.tensor([[0.0, 0.0], [5.0, -5.0], [0.0, 0.0]]))
    assert moved[[0, 2]].abs().max() == 0 and moved[1].abs().min() > 0
    for name, moment in moments.items():
        assert torch.equal(optimizer.state[parameter][name][[0, 2]], moment[[0, 2]])
        assert not torch.equal(optimizer.state[parameter][name][1], moment[1])


def test_a_frame_whose_pose_is_right_stays():
    """Its gradient is a hundredth of the others', and so is its step."""
    parameter, optimizer = make_optimizer(torch.zeros(3, 1))
    moved = take_step(parameter, optimizer, torch.tensor([[1.0], [0.01], [-1.0]]))
    assert float(moved[1] / moved[0]) == pytest.approx(0.01, rel=1e-5)


def test_what_frames_share_takes_steps_of_adam_at_a_part_of_the_rate():
    start = torch.tensor([1.0, -2.0])
    parameter, optimizer = make_optimizer(start, shared_factor=0.2)
    other = torch.nn.Parameter(start.clone())
    adam = torch.optim.Adam([other], lr=0.02, betas=(0.9, 0.99), eps=1e-15)
    for gradient in (torch.tensor([0.5, 1e-9]), torch.tensor([-1.0, 3.0])):
        take_step(parameter, optimizer, gradient)
        other.grad = gradient
        adam.step()
    torch.testing.assert_close(parameter.detach(), other.detach())


def test_stored_moments_are_taken_up_again():
    """In the parameter's shape, by which partial loading tells whether they fit."""
    gradients = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(1))
    whole, optimizer = make_optimizer(torch.zeros(3, 2))
    for gradient in gradients:
        take_step(whole, optimizer, gradient)
    part, first = make_optimizer(torch.zeros(3, 2))
    for gradient in gradients[:2]:
        take_step(part, first, gradient)
    assert all(value.shape in ((), part.shape) for value in first.state[part].values())
    resumed, second = make_optimizer(part.detach())
    second.load_state_dict(first.state_dict())
    for gradient in gradients[2:]:
        take_step(resumed, second, gradient)
    assert torch.equal(resumed, whole)


def test_cameras_and_expressions_learn_by_it():
    for group in ("cameras", "expression_corrections"):
        assert isinstance(nerface.config.optimizers[group]["optimizer"], FrameAdamConfig)
