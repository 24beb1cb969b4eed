"""The metrics that pyiqa computes, without downloads; torch is imported at the first call.

pyiqa downloads missing files into torch's hub folder. Here the file is looked up first and its path
passed on, so that no download can start.
"""

from __future__ import annotations

import functools
import os
import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from enhancers.asset_files import ASSETS
from enhancers.colour import luminance
from enhancers.errors import MetricUnavailable
from enhancers.image import Pixels
from enhancers.metrics.catalog import WEIGHTS, Metric, ModelFile

if TYPE_CHECKING:
    import torch

_CREATING = threading.Lock()


def files_folder() -> Path:
    """The folder of pyiqa's files, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "pyiqa"


def file_path(file: ModelFile) -> Path:
    """Where the file of a metric lies, or belongs."""
    return (files_folder() if file.address else ASSETS / "metrics") / file.name


def missing(metric: Metric) -> str:
    """What a metric lacks on this machine: its file, where it belongs and how it gets there."""
    if metric.file is None:
        return ""
    folder, home = file_path(metric.file).parent, Path.home()
    if folder.is_relative_to(home):
        folder = "~" / folder.relative_to(home)
    lacking = f"needs the file {metric.file.name} in {folder}"
    if not metric.file.address:
        return f"{lacking}, which belongs to the project: install it again"
    return f"{lacking}; python -m enhancers metrics fetch {metric.key} gets it from {WEIGHTS}"


def file_present(metric: Metric) -> bool:
    """Whether the metric needs no file or its file exists and is not empty."""
    if metric.file is None:
        return True
    path = file_path(metric.file)
    return path.is_file() and path.stat().st_size > 0


def compute(metric: Metric, pixels: Pixels, truth: Pixels | None) -> float:
    """The metric's value by pyiqa; not finite where it is undefined.

    Raises
    ------
    MetricUnavailable
        Its file is missing or damaged, pyiqa cannot be imported, or the image has no structure to
        measure.
    """
    if not file_present(metric):
        raise MetricUnavailable(missing(metric))
    try:
        import pyiqa  # noqa: F401
    except (ImportError, RuntimeError) as error:
        raise MetricUnavailable(f"pyiqa cannot be imported: {_first_line(error)}") from error
    try:
        if truth is not None:
            return _against_truth(metric.key, pixels, truth)
        return _alone(metric, pixels)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise MetricUnavailable(f"pyiqa cannot compute it: {_first_line(error)}") from error


def _against_truth(key: str, pixels: Pixels, truth: Pixels) -> float:
    from pyiqa.archs.psnr_arch import psnr
    from pyiqa.archs.ssim_arch import ms_ssim, ssim

    if key == "psnr":
        # pyiqa's default ε of 1e-8 would cap it at 80 dB.
        return float(psnr(_tensor(pixels).double(), _tensor(truth).double(), eps=0.0))
    one, other = _tensor(luminance(pixels)), _tensor(luminance(truth))
    if key in ("ssim", "ms_ssim"):
        # pyiqa's modules round to 8 bits and convolve in double precision, which takes eight
        # times as long; its functions do not.
        return float((ssim if key == "ssim" else ms_ssim)(one, other, data_range=1.0))
    if np.ptp(luminance(truth)) < 1 / 255:
        raise MetricUnavailable("the truth is constant")
    return float(_created(key, "")(one.repeat(1, 3, 1, 1), other.repeat(1, 3, 1, 1)))


def _alone(metric: Metric, pixels: Pixels) -> float:
    gray = luminance(pixels)
    if np.ptp(gray) < 1 / 255:
        raise MetricUnavailable("the image is constant")
    if metric.key == "piqe":
        from pyiqa.archs.piqe_arch import piqe

        value, _, _, active = piqe(_tensor(gray))
        if not bool(active.any()):
            raise MetricUnavailable("no block of the image has texture")
        return float(value)
    assert metric.file is not None
    return float(_created(metric.file.metric, str(file_path(metric.file)))(_tensor(gray)))


def _tensor(pixels: Pixels) -> torch.Tensor:
    import torch

    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.array(planes[None], np.float32))


def _created(key: str, path: str) -> Any:
    with _CREATING:
        return create_metric(key, path)


@functools.cache
def create_metric(key: str, path: str) -> Any:
    """The pyiqa module of a metric; ``path`` names its file, empty if it needs none."""
    import pyiqa
    import torch

    if path.endswith(".pth"):
        # pyiqa unpickles without restriction; this check passes only files of tensors.
        try:
            torch.load(path, weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise MetricUnavailable(f"{Path(path).name} is damaged or not safe to load") from error
    options = {"pretrained_model_path": path} if path else {}
    return pyiqa.create_metric(key, device=torch.device("cpu"), **options)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
