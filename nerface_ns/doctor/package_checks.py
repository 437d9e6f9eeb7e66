"""Installed versions, and whether nerfstudio can load what this and other packages register with it."""

import sys
from importlib import metadata

from nerface_ns.doctor.check import CheckResult, first_line, pip_command, pip_install

DISTRIBUTION = "nerface-ns"
SHOWN = ("nerfstudio", "nerfacc", "torch", "torchvision", "numpy", "viser")
METHODS = "nerfstudio.method_configs"
DATAPARSERS = "nerfstudio.dataparser_configs"
EXPECTED_ENTRY_POINTS = {METHODS: {"nerface"}, DATAPARSERS: {"nerface-data", "adnerf-data", "nerface-demo"}}


def check_versions() -> CheckResult:
    """Check every requirement of this package (needed) and of nerfstudio (warned about) against what is installed."""
    detail = f"Python {sys.version_info.major}.{sys.version_info.minor}, " + ", ".join(
        f"{name} {metadata.version(name)}" for name in SHOWN if _is_installed(name)
    )
    unmet = unmet_requirements(DISTRIBUTION)
    if unmet:
        return CheckResult("fail", _needs(DISTRIBUTION, unmet), pip_command(*unmet), lambda: pip_install(*unmet))
    unmet = unmet_requirements("nerfstudio")
    if unmet:
        return CheckResult("warn", _needs("nerfstudio", unmet), pip_command(*unmet), lambda: pip_install(*unmet))
    return CheckResult("ok", detail)


def _needs(distribution: str, unmet: dict[str, str]) -> str:
    return f"{distribution} needs " + "; ".join(
        f"{requirement} (found {found})" for requirement, found in unmet.items()
    )


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def unmet_requirements(distribution: str) -> dict[str, str]:
    """Return a distribution's requirements that the environment does not meet, with the version found instead."""
    from packaging.requirements import Requirement

    unmet = {}
    for line in metadata.requires(distribution) or []:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = metadata.version(requirement.name) if _is_installed(requirement.name) else "none"
        if found == "none" or not requirement.specifier.contains(found, prereleases=True):
            unmet[f"{requirement.name}{requirement.specifier}"] = found
    return unmet


def check_entry_points() -> CheckResult:
    """Check that nerfstudio finds this package's methods and dataparsers, and that every plug-in's can be loaded."""
    missing, broken = [], []
    for group, expected in EXPECTED_ENTRY_POINTS.items():
        points = metadata.entry_points(group=group)
        missing += sorted(expected - {point.name for point in points})
        for point in points:
            try:
                point.load()
            except Exception as error:
                owner = point.dist.name if point.dist else "an unknown package"
                broken.append(f"{point.name} of {owner} ({first_line(error)})")
    if broken:
        remedy = "repair or uninstall the package: one plug-in that fails breaks every ns-* command"
        return CheckResult("fail", f"cannot be loaded: {'; '.join(broken)}", remedy)
    if missing:
        detail = f"not registered with nerfstudio: {', '.join(missing)}"
        again = pip_command("--force-reinstall", "--no-deps", DISTRIBUTION)
        return CheckResult("fail", detail, f"install the package again: {again}")
    return CheckResult("ok", ", ".join(sorted(name for names in EXPECTED_ENTRY_POINTS.values() for name in names)))
