"""NerFace's ablations, and every difference between its paper and its released code, after the same number of steps.

    nice -n 19 python benchmarks/nerface_ablations.py run --data-root DATA --output-dir outputs/ablations
    python benchmarks/nerface_ablations.py table

Rows and sizes stand in `configs/nerface_ablations.json`: size "small" is for a CPU, "full" has NerFace's own sizes, for
a GPU. The figures go to `benchmarks/results/nerface_ablations.json` after every row. Rows that stand there are kept, so
that a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import tyro
from ablation_plan import PLAN, AblationPlan, AblationRow, change_plan, read_plan
from timed_runs import RESULTS

from nerface_ns.evaluation.run_record import write_json
from nerface_ns.evaluation.split_scores import EVALUATION_SPLITS

MINUTES = 100_000
"""More than any training takes: the number of steps ends it."""
RESULTS_FILE = RESULTS / "nerface_ablations.json"
REGIONS = ("face", "mouth", "eyes")
RECORDED = ("code_protocol", "steps", "machine", "versions", "commit", "date")
"""What is kept of a row's own record beside its scores; rows share the machine, so their times say nothing."""


@dataclass
class RunCommand:
    """Train and score the rows that are missing from the results."""

    data_root: Path
    """Folder that holds the subject's folder."""
    output_dir: Path
    """Where the runs go; rows that only evaluate find theirs here."""
    size: str = "small"
    """Size in the plan."""
    only: tuple[str, ...] = ()
    """Names of the rows to run; all without it."""
    jobs: int = 1
    """Rows at a time; each gets its share of the cores."""
    steps: int | None = None
    """Steps of every training instead of the size's."""
    resolution: int | None = None
    """Image height in pixels instead of the size's."""
    max_frames: int | None = None
    """Frames of each split to score instead of the size's."""
    plan: Path = PLAN
    """Rows and sizes."""
    results: Path = RESULTS_FILE
    """File for the figures."""


@dataclass
class TableCommand:
    """Print the rows that are there as Markdown."""

    results: Path = RESULTS_FILE
    """File with the figures."""


def run(command: RunCommand) -> None:
    """Run the rows; those that fail are named at the end."""
    plan = read_plan(command.plan, command.size)
    order = [row.name for row in plan.rows]
    changes = {name: getattr(command, name) for name in ("steps", "resolution", "max_frames")}
    plan = change_plan(plan, command.only, **changes)
    results = read_results(command.results, plan)
    missing = [row for row in plan.rows if row.name not in results["rows"]]
    lock, failed = Lock(), []

    def run_row(row: AblationRow) -> None:
        try:
            figures = row_figures(plan, row, command.data_root, command.output_dir, row_environment(command.jobs))
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            log = command.output_dir / row.name / "log.txt"
            failed.append(f"{row.name}: {error}; its output is in {log}")
            return
        with lock:
            results["rows"][row.name] = {**row.as_json(), **figures}
            results["rows"] = {name: results["rows"][name] for name in order if name in results["rows"]}
            write_json(command.results, results)

    # A row that evaluates needs another's run.
    for rows in ([r for r in missing if r.evaluates is None], [r for r in missing if r.evaluates is not None]):
        with ThreadPoolExecutor(command.jobs) as pool:
            list(pool.map(run_row, rows))
    print(markdown_table(results))
    if failed:
        raise SystemExit("failed:\n" + "\n".join(failed))


def read_results(path: Path, plan: AblationPlan) -> dict[str, Any]:
    """Read the rows that are there already.

    Raises:
        ValueError: They were made with other settings, or a row has changed since.
    """
    if not path.is_file():
        return {"settings": plan.settings(), "rows": {}}
    results = json.loads(path.read_text(encoding="utf-8"))
    if results["settings"] != plan.settings():
        raise ValueError(
            f"{path}: expected rows of {plan.settings()}, got {results['settings']}; name another --results"
        )
    for row in plan.rows:
        known = results["rows"].get(row.name, {})
        changed = {name: value for name, value in row.as_json().items() if known and known.get(name) != value}
        if changed.keys() - {"about"}:
            raise ValueError(f"{path}: row {row.name}: expected {changed}; remove the row to run it anew")
    return results


def row_environment(jobs: int) -> dict[str, str]:
    """Return the variables that leave each of several jobs its share of the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(max(cores // jobs, 1))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {**os.environ, **{name: os.environ.get(name, threads) for name in names}}


def row_figures(
    plan: AblationPlan,
    row: AblationRow,
    data_root: Path,
    output_dir: Path,
    environment: dict[str, str],
) -> dict[str, Any]:
    """Run one row in a process of its own and return its figures.

    Raises:
        FileNotFoundError: The run that a row evaluates is not there.
    """
    folder = output_dir / row.name
    folder.mkdir(parents=True, exist_ok=True)
    record_path = folder / "figures.json"
    record_path.unlink(missing_ok=True)
    if row.evaluates is None:
        arguments = train_arguments(plan, row, data_root, folder, record_path)
    else:
        arguments = score_arguments(plan, row, trained_config(output_dir / row.evaluates), record_path)
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        subprocess.run([sys.executable, *arguments], check=True, env=environment, stdout=log, stderr=subprocess.STDOUT)
    record = json.loads(record_path.read_text(encoding="utf-8"))
    kept = (*EVALUATION_SPLITS, *RECORDED)
    return {name: record[name] for name in kept if name in record}


def train_arguments(plan: AblationPlan, row: AblationRow, data_root: Path, folder: Path, json_path: Path) -> list[str]:
    """Return the arguments of Python that train and score a row."""
    options: dict[str, Any] = {
        "--data": data_root / plan.subject,
        "--dataparser": plan.dataparser,
        "--minutes": MINUTES,
        "--resolution": plan.resolution,
        "--seed": plan.seed if row.seed is None else row.seed,
        "--output-dir": folder,
        "--json": json_path,
    }
    if plan.max_frames is not None:
        options["--max-frames"] = plan.max_frames
    flat = [str(part) for pair in options.items() for part in pair]
    overrides = ["--max-num-iterations", str(plan.steps), *plan.overrides, *row.overrides]
    if row.dataparser_overrides:
        overrides += [plan.dataparser, *row.dataparser_overrides]
    return ["-m", "nerface_ns.scripts.benchmark", "train", plan.method, *flat, "--", *overrides]


def score_arguments(plan: AblationPlan, row: AblationRow, load_config: Path, json_path: Path) -> list[str]:
    """Return the arguments of Python that evaluate a trained run with other settings of its model."""
    script = Path(__file__).resolve().parent / "score_run.py"
    frames = [] if plan.max_frames is None else ["--max-frames", str(plan.max_frames)]
    settings = ["--model-settings", json.dumps(row.model_settings)]
    return [str(script), "--load-config", str(load_config), "--json", str(json_path), *settings, *frames]


def trained_config(folder: Path) -> Path:
    """Return the config.yml of the newest finished run below a folder.

    Raises:
        FileNotFoundError: There is none.
    """
    found = [path for path in folder.rglob("config.yml") if any(path.parent.rglob("step-*.ckpt"))]
    if not found:
        raise FileNotFoundError(f"{folder}: expected a trained run to evaluate, found none; run that row first")
    return max(found, key=lambda path: path.stat().st_mtime)


def markdown_table(results: dict[str, Any]) -> str:
    """Lay the rows out: test figures, regions' and other splits' PSNR, and the first row's PSNR taken off."""
    header = ["row", "test PSNR", "against the first", "SSIM", "L1", "LPIPS", *REGIONS, "val PSNR", "nvs PSNR"]
    lines = [header, ["---"] * len(header)]
    first_psnr = None
    for name, row in results["rows"].items():
        test = row["test"]
        difference = "" if first_psnr is None else f"{test['psnr'] - first_psnr:+.2f}"
        first_psnr = test["psnr"] if first_psnr is None else first_psnr
        figures = [_cell(test[metric], 4) for metric in ("ssim", "l1", "lpips")]
        regions = [_cell(test.get(region, {}).get("psnr"), 2) for region in REGIONS]
        others = [_cell(row.get(split, {}).get("psnr"), 2) for split in ("val", "nvs")]
        title = f"{name}: {row['about']}" if row["about"] else name
        lines.append([title, _cell(test["psnr"], 2), difference, *figures, *regions, *others])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def main() -> None:
    """Run the command line."""
    command = tyro.extras.subcommand_cli_from_dict({"run": RunCommand, "table": TableCommand}, description=__doc__)
    if isinstance(command, TableCommand):
        print(markdown_table(json.loads(command.results.read_text(encoding="utf-8"))))
    else:
        run(command)


if __name__ == "__main__":
    main()
