"""What is written: a video, an animation, or a folder of pictures, told by the name's suffix."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nerface_ns.evaluation.run_record import require_writable_folder
from nerface_ns.rendering.picture_layout import AnyPicture
from nerface_ns.rendering.video_writer import CODECS, Sound, VideoWriter

OUTPUT_KINDS = (*CODECS, ".gif", "")
"""Suffixes that can be asked for; without one a folder of PNG files."""
FRAME_NAME = re.compile(r"\d{5,}\.png")


@dataclass(frozen=True)
class OutputFile:
    """A place that frames go to, checked before anything is rendered.

    Raises:
        ValueError: No such kind of file, transparent frames for a kind without alpha, a quality off the encoder's
            scale, a folder in use, or a place that cannot be written to.
    """

    path: Path
    """File, or folder of PNG files."""
    is_transparent: bool = False
    """Whether frames have alpha."""
    constant_rate_factor: int | None = None
    """Quality of a video; the encoder's default without it."""

    def __post_init__(self) -> None:
        kind = self.kind
        if kind not in OUTPUT_KINDS:
            raise ValueError(
                f"--output {self.path}: expected a name that ends in .mp4, .webm or .gif, or a folder for PNG files "
                f"(no suffix), got {kind}"
            )
        if self.is_transparent and kind in (".mp4", ".gif"):
            raise ValueError(f"--output {self.path}: {kind} has no alpha; expected .webm or a folder of PNG files")
        if self.constant_rate_factor is not None:
            self._check_factor(self.constant_rate_factor)
        if kind == "" and self.path.is_dir():
            other = sorted(file.name for file in self.path.iterdir() if not FRAME_NAME.fullmatch(file.name))
            if other:
                raise ValueError(f"--output {self.path}: holds other files ({other[0]}); choose a new folder")
        if self.path.is_dir() != (kind == "") and self.path.exists():
            raise ValueError(f"--output {self.path}: expected a {'folder' if kind == '' else 'file'} there or nothing")
        require_writable_folder(self.path.parent, "--output")

    @property
    def kind(self) -> str:
        """The suffix in lower case, "" for a folder."""
        return self.path.suffix.lower()

    def _check_factor(self, factor: int) -> None:
        if self.kind not in CODECS:
            raise ValueError(f"--crf {factor}: is about videos (.mp4, .webm), got --output {self.path}")
        worst = CODECS[self.kind].worst_factor
        if not 0 <= factor <= worst:
            raise ValueError(f"--crf {factor}: expected 0 (best) to {worst} for {self.kind}")

    @property
    def holds_sound(self) -> bool:
        """Whether this kind of file can be heard."""
        return self.kind in CODECS

    def write(
        self,
        frames: Iterable[AnyPicture],
        frames_per_s: float,
        sound: Sound | None = None,
        comment: str | None = None,
    ) -> None:
        """Write all frames, whole or not at all, with a comment in the metadata."""
        if self.kind in CODECS:
            with VideoWriter(self.path, frames_per_s, self.constant_rate_factor, sound, comment) as video:
                for frame in frames:
                    video.append(frame)
        elif self.kind == ".gif":
            self._write_gif(iter(frames), frames_per_s, {} if comment is None else {"comment": comment})
        else:
            self._write_folder(frames, comment)

    def _write_gif(self, frames: Iterator[AnyPicture], frames_per_s: float, metadata: dict[str, str]) -> None:
        from PIL import Image

        pictures = [Image.fromarray(frame).convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames]
        # A GIF counts hundredths of a second: each frame lasts until its successor's time, rounded.
        ends = [round((index + 1) * 100 / frames_per_s) for index in range(len(pictures))]
        lengths_ms = [max(end - start, 1) * 10 for start, end in zip([0, *ends], ends)]
        partial = self.path.with_name(f"{self.path.name}.part")
        first, *rest = pictures
        first.save(partial, format="GIF", save_all=True, append_images=rest, duration=lengths_ms, loop=0, **metadata)
        partial.replace(self.path)

    def _write_folder(self, frames: Iterable[AnyPicture], comment: str | None) -> None:
        from PIL import Image
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        if comment is not None:
            texts.add_text("Comment", comment)
        partial = self.path.with_name(f"{self.path.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for index, frame in enumerate(frames):
            Image.fromarray(frame).save(partial / f"{index:05d}.png", pnginfo=texts)
        shutil.rmtree(self.path, ignore_errors=True)
        partial.rename(self.path)
