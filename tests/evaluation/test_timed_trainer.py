import pytest
import torch
from fake_training import RAYS_PER_STEP, SAMPLES_PER_STEP, FakeClock, FakePipeline, fake_config
from nerfstudio.utils import writer

from nerface_ns.evaluation import timed_trainer
from nerface_ns.evaluation.timed_trainer import TimedTrainer, train_until


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train for so many seconds of a fake clock on which a step takes one second."""

    def start(seconds, max_num_iterations=1000, step_done=None):
        clock = FakeClock()
        monkeypatch.setattr(FakePipeline, "clock", clock)
        monkeypatch.setattr(
            timed_trainer,
            "TimedTrainer",
            lambda config, deadline, step_done: TimedTrainer(config, deadline, step_done, clock),
        )
        return train_until(fake_config(tmp_path, max_num_iterations), clock.now + seconds, step_done)

    return start


def test_stops_before_the_step_that_would_end_late(run):
    """Steps of 1 s within 10.5 s: ten of them."""
    assert run(10.5)[1].steps == 10


def test_makes_one_step_when_the_time_is_up_already(run):
    """A deadline in the past still leaves a trained run folder."""
    _, report = run(-3.0)
    assert report.steps == 1
    assert report.checkpoint_path.is_file()


def test_number_of_iterations_ends_it_first(run):
    """The method's own number of iterations still counts."""
    assert run(100.0, max_num_iterations=4)[1].steps == 4


def test_schedules_follow_the_clock(run):
    """Before step k of 10 the schedules hear k / 10."""
    trainer, _ = run(10.0)
    fractions = trainer.pipeline.model.training_progress.fractions
    assert fractions == pytest.approx([k / 10 for k in range(10)])


def test_step_done_hears_the_share_of_time_and_the_steps(run):
    """The progress bar ends full."""
    heard = []
    run(4.0, step_done=lambda fraction, steps: heard.append((fraction, steps)))
    assert heard == [(0.25, 1), (0.5, 2), (0.75, 3), (1.0, 4)]


def test_report_counts_rays_and_samples(run):
    """Rays a second and samples a ray are totals over totals."""
    _, report = run(5.0)
    assert report.rays_per_s == pytest.approx(RAYS_PER_STEP)
    assert report.samples_per_ray == pytest.approx(SAMPLES_PER_STEP / RAYS_PER_STEP)


def test_run_folder_is_an_ordinary_one(run):
    """The checkpoint holds what nerfstudio loads, and config.yml names nerfstudio's own trainer."""
    _, report = run(3.0)
    state = torch.load(report.checkpoint_path, weights_only=True)
    assert {"step", "pipeline", "optimizers", "schedulers", "scalers"} <= state.keys()
    assert state["pipeline"]["_model.weight"].item() > 0
    assert "TimedTrainer" not in report.config_path.read_text()


def test_leaves_no_event_writer_behind(run):
    """A second training in one process does not write into the first one's event file."""
    run(2.0)
    assert writer.EVENT_WRITERS == []
