from types import SimpleNamespace

import pytest

from nerface_ns.doctor import package_checks
from nerface_ns.doctor.package_checks import METHODS, check_entry_points, check_versions, unmet_requirements


@pytest.fixture
def installed(monkeypatch):
    """Versions and requirements of an environment that a test may change."""
    versions = {"nerfstudio": "1.1.5", "numpy": "1.26.4", "torch": "2.9.0"}
    requires = {
        "nerface-ns": ["nerfstudio==1.1.5", "torch>=2.1", "pytest>=8; extra == 'dev'"],
        "nerfstudio": ["numpy<2", "rawpy; platform_machine == 'abacus'"],
    }

    def version(name):
        if name not in versions:
            raise package_checks.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(package_checks.metadata, "version", version)
    monkeypatch.setattr(package_checks.metadata, "requires", requires.get)
    return versions


def test_versions_that_fit(installed):
    result = check_versions()
    assert result.status == "ok"
    assert result.detail.endswith("nerfstudio 1.1.5, torch 2.9.0, numpy 1.26.4")


def test_local_version_meets_a_requirement(installed):
    installed["torch"] = "2.9.0+cu130"
    assert unmet_requirements("nerface-ns") == {}


def test_own_requirement_that_is_not_met(monkeypatch, installed):
    installed["nerfstudio"] = "1.1.4"
    monkeypatch.setattr(package_checks, "pip_install", lambda *arguments: f"installed {arguments}")
    result = check_versions()
    assert (result.status, result.remedy) == ("fail", "pip install nerfstudio==1.1.5")
    assert result.detail == "nerface-ns needs nerfstudio==1.1.5 (found 1.1.4)"
    assert result.fix() == "installed ('nerfstudio==1.1.5',)"


def test_missing_requirement(installed):
    del installed["torch"]
    assert unmet_requirements("nerface-ns") == {"torch>=2.1": "none"}


def test_requirement_of_nerfstudio_is_a_warning(installed):
    installed["numpy"] = "2.1.0"
    result = check_versions()
    assert (result.status, result.detail) == ("warn", "nerfstudio needs numpy<2 (found 2.1.0)")


class EntryPoint(SimpleNamespace):
    """An entry point whose loading a test decides."""

    def load(self):
        if self.error is not None:
            raise self.error
        return self.name


@pytest.fixture
def registered(monkeypatch):
    """Entry points as this package registers them, which a test may add to."""
    owner = SimpleNamespace(name="nerface-ns")
    points = {
        group: [EntryPoint(name=name, dist=owner, error=None) for name in names]
        for group, names in package_checks.EXPECTED_ENTRY_POINTS.items()
    }
    monkeypatch.setattr(package_checks.metadata, "entry_points", lambda group: points[group])
    return points


def test_everything_is_registered(registered):
    assert check_entry_points().detail == "adnerf-data, nerface, nerface-data, nerface-demo"


def test_plug_in_of_another_package_that_fails(registered):
    other = EntryPoint(name="splat", dist=SimpleNamespace(name="other"), error=ImportError("no module named gone"))
    registered[METHODS].append(other)
    result = check_entry_points()
    assert result.status == "fail"
    assert result.detail == "cannot be loaded: splat of other (ImportError: no module named gone)"


def test_entry_point_that_is_not_registered(registered):
    registered[METHODS].clear()
    result = check_entry_points()
    assert (result.status, result.detail) == ("fail", "not registered with nerfstudio: nerface")
