"""Start-up, memory and time of a step with few and with many frames; a part of `trust.py`.

    python benchmarks/frame_counts.py PROBE.json

runs one measured training in this process; `memory_part` starts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FEW = 100
NUM_STEPS, NUM_WARM = 160, 40


def memory_part(data: Path, work: Path, num_frames: int, resolution: int) -> dict[str, Any]:
    """Train on recordings of two lengths, with all stores built before.

    Args:
        data: A dataset in NerFace's format, whose frames are enlarged and repeated.
        work: For recordings and stores: about 1.2 MB for each frame at 512 x 512.
        num_frames: Frames of the long recording.
        resolution: Height of the images in pixels.
    """
    from long_recording import make_recording

    results = {}
    for count in (FEW, num_frames):
        recording = work / f"recording_{count}"
        make_recording(data, recording, count, resolution)
        first = _probe(recording, work, num_steps=1)
        results[count] = {"first_startup_s": first["startup_s"], **_probe(recording, work, NUM_STEPS)}
        print(count, results[count], flush=True)
    few, many = results[FEW], results[num_frames]
    return {
        f"rss_{num_frames}_frames_mb": many["peak_rss_mb"],
        "headroom_mb": round(4096 - many["peak_rss_mb"], 1),
        f"step_time_ratio_{num_frames}_over_{FEW}": round(many["step_ms"] / few["step_ms"], 4),
        "startup_s": many["startup_s"],
        "frame_counts": {"resolution": resolution, **{str(count): result for count, result in results.items()}},
    }


def _probe(recording: Path, work: Path, num_steps: int) -> dict[str, Any]:
    """Run one training in a process of its own."""
    request, answer = work / "probe.json", work / "answer.json"
    answer.unlink(missing_ok=True)
    content = {"data": str(recording), "output_dir": str(work / "runs"), "num_steps": num_steps, "answer": str(answer)}
    request.write_text(json.dumps(content), encoding="utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(work / "cache")}
    subprocess.run([sys.executable, __file__, str(request)], check=True, env=environment, stdout=subprocess.DEVNULL)
    return json.loads(answer.read_text(encoding="utf-8"))


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """Train as `ns-train nerface` does, without a viewer; returns what it took."""
    from nerface_ns.evaluation.run_record import peak_rss_mb, process_age_s
    from nerface_ns.evaluation.timed_trainer import seed_everything
    from nerface_ns.evaluation.training_config import training_config

    options = ["--max-num-iterations", str(request["num_steps"]), "--machine.device-type", "cpu"]
    output_dir, data = Path(request["output_dir"]), Path(request["data"])
    config = training_config("nerface", output_dir, data, "nerface-data", overrides=options)
    seed_everything(config.machine.seed)
    config.pipeline.datamanager.data = config.data
    config.set_timestamp()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    times, once = [], trainer.train_iteration
    startup_s: list[float] = []

    def timed(step: int) -> Any:
        if not startup_s:
            startup_s.append(process_age_s())
        start = time.perf_counter()
        done = once(step)
        times.append(time.perf_counter() - start)
        return done

    trainer.train_iteration = timed
    trainer.train()
    counted = sorted(times[NUM_WARM:] or times)
    return {
        "startup_s": round(startup_s[0], 2),
        "step_ms": round(1000 * counted[len(counted) // 2], 3),
        "steps": len(times),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(task["answer"]).write_text(json.dumps(probe(task)), encoding="utf-8")
