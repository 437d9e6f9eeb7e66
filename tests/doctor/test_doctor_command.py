import json
import subprocess
import sys

import pytest

from nerface_ns.doctor import report
from nerface_ns.doctor.check import TRAINING, Check, CheckResult
from nerface_ns.doctor.report import ALL_CHECKS
from nerface_ns.scripts import doctor
from nerface_ns.scripts.doctor import Doctor


def choose(monkeypatch, *results: tuple[str, CheckResult]) -> None:
    checks = [
        Check(f"check {i}", needed_for, lambda result=result: result) for i, (needed_for, result) in enumerate(results)
    ]
    monkeypatch.setattr(doctor, "ALL_CHECKS", checks)


def test_checks_have_names_of_their_own():
    assert len({check.name for check in ALL_CHECKS}) == len(ALL_CHECKS) == 13
    assert TRAINING in {check.needed_for for check in ALL_CHECKS}


def test_training_is_possible_with_warnings_and_other_failures(monkeypatch, capsys):
    choose(monkeypatch, (TRAINING, CheckResult("warn", "little room")), ("ns-render", CheckResult("fail", "no ffmpeg")))
    assert Doctor().main()
    shown = capsys.readouterr().out
    assert "little room" in shown
    assert "Training is possible." in shown


def test_failure_prevents_training_and_shows_the_remedy(monkeypatch, capsys):
    choose(monkeypatch, (TRAINING, CheckResult("fail", "mismatch [nms]", "pip install [it]", lambda: "installed")))
    assert not Doctor().main()
    shown = capsys.readouterr().out
    assert "mismatch [nms]" in shown
    assert "pip install [it]" in shown
    assert "nerface-doctor --fix" in shown
    assert "Training is not possible." in shown


def test_fix_mends_and_says_so(monkeypatch, capsys):
    state = {"works": False}

    def mend():
        state["works"] = True
        return "put it right"

    def look():
        return CheckResult("ok", "fine") if state["works"] else CheckResult("fail", "broken", "mend it", mend)

    monkeypatch.setattr(doctor, "ALL_CHECKS", [Check("part", TRAINING, look)])
    assert Doctor(fix=True).main()
    assert "put it right" in capsys.readouterr().out


def test_json_holds_what_the_table_shows(monkeypatch, tmp_path):
    choose(monkeypatch, (TRAINING, CheckResult("fail", "mismatch", "install", lambda: "installed")))
    Doctor(json=tmp_path / "new" / "doctor.json").main()
    assert json.loads((tmp_path / "new" / "doctor.json").read_text()) == {
        "training_possible": False,
        "checks": [
            {
                "name": "check 0",
                "needed_for": TRAINING,
                "status": "fail",
                "detail": "mismatch",
                "remedy": "install",
                "can_be_mended": True,
                "mended": "",
            }
        ],
    }


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("fail", 1)])
def test_exit_code(monkeypatch, status, code):
    choose(monkeypatch, (TRAINING, CheckResult(status, "")))
    monkeypatch.setattr(sys, "argv", ["nerface-doctor"])
    with pytest.raises(SystemExit) as ended:
        doctor.entrypoint()
    assert ended.value.code == code


def test_every_status_has_a_colour():
    assert set(report.COLOURS) == {"ok", "warn", "fail"}


def test_starts_without_torch_and_nerfstudio():
    """The doctor must run where what it checks does not import."""
    program = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'nerfstudio', 'numba', 'psutil', 'numpy'): sys.modules[name] = None\n"
        "from nerface_ns.scripts.doctor import Doctor\n"
        "sys.exit(0 if Doctor().main() else 7)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert "Training is not possible." in done.stdout
