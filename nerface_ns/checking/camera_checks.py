"""Are the cameras read as they were meant? Decided by whether the pictures' points of the head meet in space."""

from __future__ import annotations

from nerface_ns.checking.camera_hypotheses import CameraHypothesis, hypotheses
from nerface_ns.checking.finding import Finding
from nerface_ns.checking.lens_check import steadiest
from nerface_ns.checking.observed_points import ObservedPoints
from nerface_ns.checking.triangulation import misfit

CLEARLY_BETTER = 0.6
"""Another convention is named when its misfit is below this part of the one that is read."""

GOOD_FIT = 0.015
"""A misfit below this part of the image's height needs no other explanation: face boxes are no better than that."""

LOOSE_FIT = 0.03
"""When even the steadiest points misfit by more than this part of the image's height, the head moves in what should be
its own frame. head_a's misfit by 0.1 %, and by 4.6 % once every pose is off by 2 deg."""

NOT_TOLD_APART = 1.3
"""When even a mirrored world fits within this factor, the head moves too little to tell."""


def check_convention(observed: ObservedPoints | None, has_negative_fx: bool | None) -> Finding:
    """Name the convention that the matrices were written in.

    Args:
        observed: What the pictures show.
        has_negative_fx: Whether the file's fx is negative, as NerFace's mirrored world has it; None for other formats.
    """
    check = "camera convention"
    if observed is None:
        return Finding(check, "skip", "no landmarks and no face boxes to test the cameras with")
    arguments = (observed.intrinsics_px, observed.points_px)
    fits = {each: misfit(each.apply(observed.camera_to_world), *arguments) for each in hypotheses()}
    as_read = CameraHypothesis()
    own_px, own_front = fits[as_read]
    # The order of the hypotheses settles ties for the one with fewer mistakes.
    seen = {each: error for each, (error, front) in fits.items() if front > 0.95}
    best = min(seen, key=lambda each: round(seen[each], 3)) if seen else as_read
    best_px, height = fits[best][0], observed.image_size[0]
    figures = {
        "misfit_px": round(own_px, 3),
        "in_front": round(own_front, 3),
        "best": best.problem,
        "best_misfit_px": round(best_px, 3),
        "points": observed.kind,
    }
    stands = f"{observed.kind} of the frames meet within {own_px:.1f} px"
    if own_front <= 0.95:
        stands = f"the head is behind {1 - own_front:.0%} of the cameras"
    is_bad = own_front <= 0.95 or (own_px > GOOD_FIT * height and best_px < CLEARLY_BETTER * own_px)
    if is_bad and best.is_as_read:
        return Finding(check, "fail", f"{stands}, and no convention fits", "", "unknown-convention", figures)
    if is_bad:
        problem, remedy = _name(best, has_negative_fx)
        detail = f"{stands}; read as {best.words}, within {best_px:.1f} px"
        return Finding(check, "fail", detail, remedy, problem, figures)
    calm = steadiest(observed)
    calm_px = misfit(calm.camera_to_world, calm.intrinsics_px, calm.points_px)[0]
    if calm_px > LOOSE_FIT * height:
        remedy = "poses that are noisy or not the head's (the shoulders', without the neck's turn), or boxes that jump"
        detail = f"{stands}, the steadiest within {calm_px:.1f} px, which is loose"
        return Finding(check, "warn", detail, remedy, "loose-poses", {**figures, "steadiest_px": round(calm_px, 3)})
    mirrored_px = fits[CameraHypothesis(is_mirrored=True)][0]
    if mirrored_px < NOT_TOLD_APART * own_px:
        detail = f"{stands}, but a mirrored world fits as well ({mirrored_px:.1f} px): the head turns too little"
        return Finding(check, "warn", detail, "look at the axes on the contact sheet", "undecided", figures)
    return Finding(check, "ok", f"{stands}; a mirrored world would be {mirrored_px:.1f} px off", figures=figures)


def _name(best: CameraHypothesis, has_negative_fx: bool | None) -> tuple[str, str]:
    """Short name and remedy; a mirrored world is the focal length's sign where the file shows it."""
    if best == CameraHypothesis(is_mirrored=True) and has_negative_fx is not None:
        if not has_negative_fx:
            return "focal-sign", "write fx with a minus sign: these poses are NerFace's, of a mirrored world"
        return "mirrored", (
            "the poses are of an ordinary world (or the pictures were flipped): write fx with a plus sign, or "
            "conjugate the poses with diag(-1, 1, 1, 1)"
        )
    remedies = ["invert every matrix"] if best.is_world_to_camera else []
    remedies += [f"turn the cameras' axes: they are {best.axes}"] if best.axes != "opengl" else []
    remedies += ["conjugate the poses with diag(-1, 1, 1, 1), or flip the pictures back"] if best.is_mirrored else []
    return best.problem, ", then ".join(remedies)
