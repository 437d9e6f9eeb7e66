import importlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FIGURES = {"psnr": 25.0, "ssim": 0.8, "l1": 0.03, "lpips": None}


@pytest.fixture
def ablations(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("nerface_ablations")


@pytest.fixture
def plans(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("ablation_plan")


def write_plan(path, **changes):
    """A plan of two trainings and an evaluation."""
    rows = [
        {"name": "first", "about": "the recipe"},
        {"name": "half", "about": "half", "overrides": ["--a", "1"], "dataparser_overrides": ["--train-share", "0.5"]},
        {"name": "again", "about": "", "evaluates": "first", "model_settings": {"code_protocol": "mean"}},
    ]
    sizes = {"small": {"about": "", "resolution": 8, "steps": 3, "max_frames": 2, "overrides": ["--rays", "4"]}}
    shared = {"method": "nerface-paper", "dataparser": "nerface-data", "subject": "head", "seed": 42}
    path.write_text(json.dumps({**shared, "sizes": sizes, "rows": rows, **changes}))
    return path


def test_every_option_of_the_table_is_one_of_the_methods(plans):
    """All rows' options in one command line, which takes as long to parse as one row's; the last of a name counts."""
    from nerface_ns.evaluation.training_config import parse_method_config

    plan = plans.read_plan(plans.PLAN, "small")
    options = [option for row in plan.rows for option in row.overrides]
    parser_options = [option for row in plan.rows for option in row.dataparser_overrides]
    pipeline = parse_method_config(
        plan.method, plan.dataparser, [*plan.overrides, *options, plan.dataparser, *parser_options]
    ).pipeline
    model = pipeline.model
    assert (model.fidelity, model.direction_input, model.code_frame) == ("released", "last_columns", 9)
    assert (model.near, model.far) == (0.2, 0.8)
    assert (model.background_at_end, model.use_expression) == (False, False)
    assert (model.latent_codes.length, model.code_weight) == (0, 0)
    assert (model.coarse_field.trunk_width, model.fine_field.trunk_width) == (128, 128)
    assert pipeline.datamanager.dataparser.train_share == 0.25
    settings = [name for row in plan.rows for name in row.model_settings]
    assert settings and all(hasattr(model, name) for name in settings)


def test_rows_are_the_papers_ablations_and_the_releases_differences(plans):
    """Each ablation takes away what its name says and nothing else."""
    rows = {row.name: row for row in plans.read_plan(plans.PLAN, "small").rows}
    no_expression, no_codes = (
        ("--pipeline.model.use-expression", "False"),
        ("--pipeline.model.latent-codes.length", "0"),
    )
    assert rows["published"].overrides == ()
    assert rows["no-expression"].overrides == no_expression
    assert rows["no-latent-codes"].overrides == no_codes
    assert rows["static-nerf"].overrides == no_expression + no_codes
    assert rows["plain-nerf"].overrides == no_expression + no_codes + rows["no-background"].overrides
    assert rows["half-data"].dataparser_overrides == ("--train-share", "0.5")
    assert rows["quarter-data"].dataparser_overrides == ("--train-share", "0.25")
    assert rows["released-jitter"].evaluates == rows["released-code"].evaluates == "published"


def test_full_size_is_the_papers(plans):
    """Nothing is made smaller."""
    plan = plans.read_plan(plans.PLAN, "full")
    assert (plan.overrides, plan.steps, plan.max_frames) == ((), 400_000, None)


def test_training_arguments(ablations, plans, tmp_path):
    """Steps and the size's options come first, the row's after them, the dataparser's last."""
    plan = plans.change_plan(plans.read_plan(write_plan(tmp_path / "plan.json"), "small"), (), steps=5)
    arguments = ablations.train_arguments(plan, plan.rows[1], Path("data"), Path("out"), Path("f.json"))
    split = arguments.index("--")
    options = dict(zip(arguments[4:split:2], arguments[5:split:2]))
    assert arguments[:4] == ["-m", "nerface_ns.scripts.benchmark", "train", "nerface-paper"]
    assert options["--data"] == os.path.join("data", "head")
    assert (options["--resolution"], options["--seed"], options["--max-frames"]) == ("8", "42", "2")
    assert arguments[split + 1 :] == [
        *("--max-num-iterations", "5", "--rays", "4", "--a", "1"),
        *("nerface-data", "--train-share", "0.5"),
    ]


def fake_process(heard):
    """Stands in for a training or a scoring: writes figures and, for a training, a run folder."""

    def start(arguments, env, **_):
        heard.append(arguments)
        path = Path(arguments[arguments.index("--json") + 1])
        path.write_text(json.dumps({"test": FIGURES, "steps": 3, "run": {"left": "out"}}))
        if "--output-dir" in arguments:
            checkpoint = path.parent / "run" / "nerfstudio_models" / "step-000000002.ckpt"
            checkpoint.parent.mkdir(parents=True)
            checkpoint.touch()
            (path.parent / "run" / "config.yml").touch()

    return start


@pytest.fixture
def run(ablations, tmp_path, monkeypatch):
    """Run a plan with processes that only pretend; returns the results and the processes' arguments."""
    plan_path = write_plan(tmp_path / "plan.json")

    def start(**options):
        heard = []
        fake = SimpleNamespace(
            run=fake_process(heard), STDOUT=-2, CalledProcessError=ablations.subprocess.CalledProcessError
        )
        monkeypatch.setattr(ablations, "subprocess", fake)
        results = tmp_path / "results.json"
        command = {"data_root": tmp_path, "output_dir": tmp_path / "out", "plan": plan_path, "results": results}
        ablations.run(ablations.RunCommand(**{**command, **options}))
        return json.loads(results.read_text()), heard

    return start


def test_every_row_is_run_once(run, tmp_path):
    """Trainings first; the evaluation takes the run of the row it names; finished rows are kept."""
    results, heard = run(only=("first",))
    assert list(results["rows"]) == ["first"]
    results, heard = run(jobs=2)
    assert list(results["rows"]) == ["first", "half", "again"]
    assert len(heard) == 2
    assert heard[1][3] == str(tmp_path / "out" / "first" / "run" / "config.yml")
    assert json.loads(heard[1][heard[1].index("--model-settings") + 1]) == {"code_protocol": "mean"}
    assert results["rows"]["half"] == {
        "about": "half",
        "overrides": ["--a", "1", "--train-share", "0.5"],
        "test": FIGURES,
        "steps": 3,
    }
    assert results["settings"]["steps"] == 3
    assert run()[1] == []


def test_rows_share_the_cores(run, ablations, monkeypatch):
    """Two at a time get half of them each, unless the variable is set."""
    monkeypatch.setattr(ablations.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    environment = ablations.row_environment(2)
    assert (environment["OMP_NUM_THREADS"], environment["NUMBA_NUM_THREADS"]) == ("4", "1")


def test_rows_of_other_settings_are_not_mixed(run):
    run(only=("first",))
    with pytest.raises(ValueError, match=r"results\.json: expected rows of .*'steps': 9.*name another --results"):
        run(steps=9)


def test_changed_row_is_not_taken_for_the_old_one(run, tmp_path):
    run(only=("half",))
    plan = json.loads((tmp_path / "plan.json").read_text())
    plan["rows"][1]["overrides"] = ["--a", "2"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ValueError, match=r"row half: expected .*'2'.*remove the row to run it anew"):
        run()


def test_missing_run_fails_its_row_alone(run, tmp_path):
    """The others are finished and kept; the row is named at the end."""
    with pytest.raises(SystemExit, match=r"again: .*first: expected a trained run to evaluate, found none"):
        run(only=("half", "again"))
    assert list(json.loads((tmp_path / "results.json").read_text())["rows"]) == ["half"]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"size": "huge"}, r"--size huge: .*plan\.json has small"),
        ({}, {"only": ("frist",)}, "--only frist: expected names among first, half, again"),
        ({"rows": [{"name": "a", "about": ""}] * 2}, {}, r"names given twice: \['a'\]"),
        ({"rows": [{"name": "a", "about": "", "evaluates": "b"}]}, {}, r"a run that is not trained: \{'a': 'b'\}"),
    ],
)
def test_wrong_plans_are_refused(run, tmp_path, changes, options, message):
    write_plan(tmp_path / "plan.json", **changes)
    with pytest.raises(ValueError, match=message):
        run(**options)


def test_table_compares_with_the_first_row(ablations):
    """PSNR with its difference, a dash for what is not there."""
    better = {**FIGURES, "psnr": 26.25, "mouth": {"psnr": 20.0}}
    rows = {"first": {"about": "the recipe", "test": FIGURES, "val": FIGURES}, "other": {"about": "", "test": better}}
    lines = ablations.markdown_table({"rows": rows}).splitlines()
    assert lines[2] == "| first: the recipe | 25.00 |  | 0.8000 | 0.0300 | - | - | - | - | 25.00 | - |"
    assert lines[3] == "| other | 26.25 | +1.25 | 0.8000 | 0.0300 | - | - | 20.00 | - | - | - |"
