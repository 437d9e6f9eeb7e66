"""Image quality as NerFace's metrics script measures it (release, `nerf/metrics.py`), for figures beside the paper's.

Against `model_components.image_metrics` the render is cut down to 8 bits first, SSIM uses a flat 7x7 window and takes
colours in [0, 1] for a range of 2, which makes it higher, and LPIPS gets [0, 1] where its network expects [-1, 1].
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from nerface_ns.model_components.image_metrics import ImageDistance, Scores, psnr_from_squared_error

WINDOW_PX = 7
"""Side of the SSIM window that scikit-image's `compare_ssim` has by default."""
DATA_RANGE = 2.0
"""Range that `compare_ssim` assumes of float images: -1 to 1."""


def eight_bit_colours(image: Float[Tensor, "height width 3"]) -> Float[Tensor, "height width 3"]:
    """Cut colours down to 256 levels, as torchvision's `ToPILImage` does before the script's PNGs are written."""
    return (image.clamp(0, 1) * 255).floor() / 255


def flat_window_ssim(render: Float[Tensor, "height width 3"], truth: Float[Tensor, "height width 3"]) -> float | None:
    """Return the structural similarity with scikit-image's defaults for float images; None for images too small."""
    if min(truth.shape[:2]) < WINDOW_PX:
        return None
    first, second = (image.double().permute(2, 0, 1)[None] for image in (render, truth))

    def mean(values: Tensor) -> Tensor:
        """Return the means of all windows."""
        return avg_pool2d(values, WINDOW_PX, stride=1)

    first_mean, second_mean = mean(first), mean(second)
    sample = WINDOW_PX**2 / (WINDOW_PX**2 - 1)  # sample covariance, not the window's
    first_variance = sample * (mean(first * first) - first_mean**2)
    second_variance = sample * (mean(second * second) - second_mean**2)
    covariance = sample * (mean(first * second) - first_mean * second_mean)
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    above = (2 * first_mean * second_mean + c1) * (2 * covariance + c2)
    below = (first_mean**2 + second_mean**2 + c1) * (first_variance + second_variance + c2)
    return float((above / below).mean())


def paper_scores(
    render: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    image_distance: ImageDistance | None = None,
) -> Scores:
    """Score an image whole.

    Args:
        render, truth: Colours in [0, 1].
        image_distance: LPIPS, which takes colours in [0, 1] and scales them itself, or a stand-in for it.
    """
    render = eight_bit_colours(render.float())
    error = render - truth.float()
    distance = None
    if image_distance is not None:
        # What it scales to [0, 1] is what the script hands the network.
        distance = image_distance((render + 1) / 2, (truth.float() + 1) / 2)
    return {
        "psnr": psnr_from_squared_error(float(error.square().mean())),
        "ssim": flat_window_ssim(render, truth.float()),
        "l1": float(error.abs().mean()),
        "lpips": distance,
    }
