import torch

from nerface_ns.engine import loss_watch
from nerface_ns.engine.loss_watch import BadLoss, LossWatch


def note(watch: LossWatch, step: int, **terms: float) -> None:
    tensors = {name: torch.tensor(value) for name, value in terms.items()}
    watch.note(step, [f"f_{step}"], sum(tensors.values(), torch.zeros(())), tensors)


def test_each_loss_is_looked_at_on_a_cpu():
    watch = LossWatch("cpu")
    assert not watch.is_due and watch.look() is None
    note(watch, 3, rgb=0.5, code=0.1)
    assert watch.is_due and watch.look() is None and not watch.is_due


def test_first_bad_step_of_those_that_a_gpu_has_queued():
    """Ten steps are looked at together; terms that are numbers are not told."""
    watch = LossWatch("cuda:0")
    for step in range(loss_watch.STEPS_PER_CHECK):
        assert not watch.is_due
        note(
            watch, step, rgb=float("nan") if step in (4, 6) else 0.5, code=float("inf") if step == 4 else 0.1, mask=1.0
        )
    assert watch.is_due
    bad = watch.look()
    assert bad is not None and (bad.step, bad.frames, set(bad.terms)) == (4, ["f_4"], {"rgb", "code"})
    assert str(bad) == "step 4: expected a finite loss, got rgb is nan, code is inf for the frames f_4"
    assert watch.look() is None


def test_long_list_of_frames_is_cut():
    text = str(BadLoss(1, [f"f_{number}" for number in range(20)], {"rgb": float("nan")}))
    assert text.endswith("f_6, f_7 and 12 more")


def test_finite_terms_with_an_infinite_sum():
    assert "got a sum that is not" in str(BadLoss(1, ["f"], {}))
