"""A trainer whose checkpoints are whole and hold all of its state, and that ends cleanly when something goes wrong."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE

from nerface_ns.data.frame_store import UnreadableFrameError
from nerface_ns.engine.checkpoint_writer import CheckpointWriteError, write_checkpoint
from nerface_ns.engine.loss_watch import LossWatch
from nerface_ns.engine.rollback import LossNotFiniteError, Rollback
from nerface_ns.engine.training_state import frame_names, start_random, training_state


class GuardedTrainer(Trainer):
    """Trains as nerfstudio does.

    A loss of NaN or infinity takes the training back to its last good state, once. An unreadable frame, a full disk and
    a second such loss end it with a message, exit status 1 and the last good checkpoint.

    Args:
        config: Settings.
        local_rank: Rank of this process.
        world_size: Number of processes.
    """

    def __init__(self, config: TrainerConfig, local_rank: int = 0, world_size: int = 1) -> None:
        super().__init__(config, local_rank, world_size)
        self._resumed: Optional[Dict[str, Any]] = None
        self._frame_names: List[str] = []
        self._finished_step: Optional[int] = None
        self._watch = LossWatch(self.device)
        self._rollback = Rollback()

    def train(self) -> None:
        """Train to the end, or to a fault.

        Raises:
            SystemExit: With a message, after a fault.
        """
        resumed, self._resumed = self._resumed, None
        self._frame_names = frame_names(self) or []
        try:
            self._rollback.keep(self, self._start_step - 1)
            if resumed is not None:
                start_random(self, resumed)
            super().train()
        except UnreadableFrameError as error:
            self._end(f"{error}. {self._save_finished()}")
        except LossNotFiniteError as error:
            self._end(f"{error}. {self._save_good()}")
        except CheckpointWriteError as error:
            self._end(str(error))

    def train_iteration(self, step: int) -> Any:
        """Make one step, look at its loss, and now and then keep the state in memory."""
        done = super().train_iteration(step)
        self._finished_step = step
        images = getattr(self.pipeline.datamanager, "drawn_images", None)
        drawn = [] if images is None or not self._frame_names else [self._frame_names[row] for row in images.tolist()]
        self._watch.note(step, drawn, done[0], done[1])
        if self._watch.is_due:
            self._check_losses()
        if self._rollback.is_due(step):
            self._check_losses()
            self._tell(self._rollback.keep(self, step))
        return done

    def save_checkpoint(self, step: int) -> None:
        """Save a state that is known to be good, whole or not at all; older checkpoints go after that.

        Raises:
            CheckpointWriteError: The disk is full, or cannot be written to.
            LossNotFiniteError: The state is not good, and there is none to go back to.
        """
        self._check_losses()
        self._tell(self._rollback.check(self, step))
        self._write(training_state(self, step, self._rollback.count))

    @check_main_thread
    def _write(self, state: Dict[str, Any]) -> None:
        path = self.checkpoint_dir / f"step-{state['step']:09d}.ckpt"
        write_checkpoint(path, state)
        if self.config.save_only_latest_checkpoint:
            for other in self.checkpoint_dir.glob("*.ckpt"):
                if other != path:
                    other.unlink()

    def _after_train(self) -> None:
        """Save and say so; a training that was told to stop has not made the step that nerfstudio counts last."""
        if self._finished_step is not None:
            self.step = self._finished_step
        super()._after_train()

    def _check_losses(self) -> None:
        bad = self._watch.look()
        if bad is not None:
            self._tell(self._rollback.go_back(self, str(bad)))

    def _tell(self, note: Optional[str]) -> None:
        if note is not None:
            CONSOLE.print(f"note: {note}", style="yellow", soft_wrap=True, highlight=False, markup=False)

    def _save_finished(self) -> str:
        """Save what was trained so far; returns what became of it."""
        if self._finished_step is None:
            return "No step was made."
        try:
            self._write(training_state(self, self._finished_step, self._rollback.count))
        except CheckpointWriteError as error:
            return str(error)
        return f"Training stopped after step {self._finished_step}; {self.checkpoint_dir} has its checkpoint"

    def _save_good(self) -> str:
        """Save the last good state if no checkpoint is newer; returns what became of it."""
        saved = [int(path.stem.split("-")[1]) for path in self.checkpoint_dir.glob("step-*.ckpt")]
        good, step = self._rollback.good, self._rollback.good_step
        if good is not None and step > max(saved, default=-1):
            try:
                self._write(good)
            except CheckpointWriteError as error:
                return str(error)
            saved.append(step)
        if not saved:
            return "Training stopped; no step was good"
        return f"Training stopped; the last good checkpoint, of step {max(saved)}, is in {self.checkpoint_dir}"

    def _end(self, message: str) -> None:
        self.shutdown()
        raise SystemExit(f"Error: {message}")
