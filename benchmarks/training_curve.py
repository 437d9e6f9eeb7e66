"""Quality over training time, and when it passes a threshold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass
class TrainingCurve:
    """Points in the order of time."""

    seconds: list[float] = field(default_factory=list)
    """Training time, pauses not counted."""
    steps: list[int] = field(default_factory=list)
    """Finished steps."""
    psnr: list[float] = field(default_factory=list)
    """Quality in dB."""

    def add(self, seconds: float, steps: int, psnr: float) -> None:
        """Add a point."""
        self.seconds.append(seconds)
        self.steps.append(steps)
        self.psnr.append(psnr)

    def seconds_to(self, threshold: float) -> float | None:
        """Return when the curve, straight between points, first reaches a threshold; None if it never does."""
        for number, value in enumerate(self.psnr):
            if value < threshold:
                continue
            if number == 0:
                return self.seconds[0]
            before, start, end = self.psnr[number - 1], self.seconds[number - 1], self.seconds[number]
            return start + (end - start) * (threshold - before) / (value - before)
        return None

    def as_json(self) -> dict[str, list]:
        """Return rounded columns."""
        columns = asdict(self)
        return {**columns, **{name: [round(value, 3) for value in columns[name]] for name in ("seconds", "psnr")}}
