import torch

from nerface_ns.model_components.expression_corrections import ExpressionCorrectionsConfig

TRACKED = torch.tensor([[0.0, 1.0, 5.0], [2.0, 1.0, 5.0], [4.0, 4.0, 5.0]])


def make(**settings):
    return ExpressionCorrectionsConfig(enabled=True, **settings).setup(train_expression=TRACKED)


def test_nothing_changes_at_the_start():
    index = torch.tensor([0, 2, 1])
    assert torch.equal(make()(TRACKED[index], index), TRACKED[index])


def test_corrections_are_in_standard_deviations_of_their_coefficient():
    corrections = make()
    corrections.offsets.data[2] = 0.5
    spread = TRACKED.std(dim=0, unbiased=False)
    assert spread[2] == 0
    corrected = corrections(TRACKED, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(corrected[2], TRACKED[2] + 0.5 * spread)
    assert torch.equal(corrected[:2], TRACKED[:2])


def test_unseen_frames_are_not_corrected():
    corrections = make()
    corrections.offsets.data += 1
    assert torch.equal(corrections(TRACKED, torch.full((3,), -1)), TRACKED)


def test_frozen_corrections_get_no_gradient():
    corrections = make()
    for learns in (True, False):
        corrections.is_frozen = not learns
        assert corrections(TRACKED, torch.arange(3)).requires_grad is learns


def test_penalty_is_the_weighted_mean_square():
    corrections = make(weight=0.5)
    corrections.offsets.data[1] = torch.tensor([3.0, 0.0, 0.0])
    torch.testing.assert_close(corrections.penalty(torch.tensor([1, 2])), torch.tensor(0.5 * 9 / 6))
