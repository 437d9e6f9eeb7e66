import torch
from torch import nn

from nerface_ns.models.parameter_groups import parameter_groups


def module_of(**parameters: torch.Tensor) -> nn.Module:
    module = nn.Module()
    for name, value in parameters.items():
        module.register_parameter(name, nn.Parameter(value))
    return module


def test_grids_learn_apart_from_networks():
    first, second = module_of(weight=torch.ones(2), table=torch.ones(3)), module_of(grids=torch.ones(4))
    nested = nn.Module()
    nested.inner = second
    groups = parameter_groups([first, nested], module_of(codes=torch.ones(1)), module_of(image=torch.ones(5)))
    assert list(groups) == ["networks", "grids", "latent_codes", "background"]
    assert groups["networks"] == [first.weight]
    assert [p.numel() for p in groups["grids"]] == [3, 4]


def test_tables_of_coefficients_learn_apart_from_grids():
    field = module_of(weight=torch.ones(2), table=torch.ones(3), bases=torch.ones(4))
    groups = parameter_groups([field], module_of(), module_of())
    assert list(groups) == ["networks", "grids", "tables"]
    assert groups["tables"][0] is field.bases


def test_nothing_to_train_makes_no_group():
    """A photograph is not trained, and codes of length 0 hold no number."""
    background = module_of(image=torch.ones(5)).requires_grad_(False)
    groups = parameter_groups([module_of(weight=torch.ones(2))], module_of(codes=torch.ones(6, 0)), background)
    assert list(groups) == ["networks"]
