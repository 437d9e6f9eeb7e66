import sys

import pytest

from nerface_ns.doctor.check import (
    TRAINING,
    Check,
    CheckResult,
    Finding,
    environment_bin_dir,
    examine,
    examine_and_mend,
    first_line,
    run_command,
)


def failing_check() -> CheckResult:
    raise OSError("the device\nhas left")


class BrokenLamp:
    """A thing that can be mended."""

    def __init__(self, mends: bool) -> None:
        self.works, self.mends, self.calls = False, mends, 0

    def examine(self) -> CheckResult:
        return CheckResult("ok", "shines") if self.works else CheckResult("fail", "dark", "mend it", self.fix)

    def fix(self) -> str:
        self.calls += 1
        if not self.mends:
            raise RuntimeError("no bulb")
        self.works = True
        return "changed the bulb"


def test_error_inside_a_check_is_a_failed_result():
    result = examine(Check("lamp", "light", failing_check))
    assert (result.status, result.detail) == ("fail", "could not be checked: OSError: the device")


def test_mended_check_is_looked_at_again():
    finding = examine_and_mend(Check("lamp", "light", BrokenLamp(mends=True).examine), fix=True)
    assert (finding.result.status, finding.mended) == ("ok", "changed the bulb")


def test_nothing_is_mended_unasked():
    lamp = BrokenLamp(mends=True)
    finding = examine_and_mend(Check("lamp", "light", lamp.examine), fix=False)
    assert (finding.result.status, finding.mended, lamp.calls) == ("fail", "", 0)


def test_failed_mending_is_reported():
    finding = examine_and_mend(Check("lamp", "light", BrokenLamp(mends=False).examine), fix=True)
    assert (finding.result.status, finding.mended) == ("fail", "could not be mended: RuntimeError: no bulb")


@pytest.mark.parametrize(
    ("needed_for", "status", "expected"),
    [(TRAINING, "fail", True), (TRAINING, "warn", False), ("ns-render", "fail", False)],
)
def test_only_failures_of_what_training_needs_prevent_it(needed_for, status, expected):
    check = Check("lamp", needed_for, failing_check)
    assert Finding(check, CheckResult(status, "")).prevents_training is expected


def test_first_line_of_an_empty_message():
    assert first_line(KeyError()) == "KeyError: "


def test_command_output_and_failure():
    assert run_command([sys.executable, "-c", "print(6 * 7)"])[0] == "42\n"
    with pytest.raises(RuntimeError, match=r"ended with 3: out of paper"):
        run_command([sys.executable, "-c", "import sys; print('out of paper'); sys.exit(3)"])


def test_environment_bin_dir_holds_the_interpreter():
    assert any(path.name.startswith("python") for path in environment_bin_dir().iterdir())
