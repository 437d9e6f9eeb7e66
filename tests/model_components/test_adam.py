import torch

from nerface_ns.model_components.adam import FaceAdamConfig


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
