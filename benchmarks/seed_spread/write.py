"""The file of calibrations: one entry for each setting, of the network that is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks.seed_spread.fit import fit, pixels_of
from benchmarks.seed_spread.samples import SEEDS, Samples
from benchmarks.seed_spread.settings import Setting
from enhancers.compare.seed_spread import (
    Calibration,
    Interval,
    Measured,
    calibrations,
    fixed,
    read_calibrations,
)
from enhancers.files import write_atomic
from enhancers.method import Modality
from enhancers.networks.load import identity
from enhancers.registry import resolve
from enhancers.source_digest import method_digest


def calibration(setting: Setting, samples: Sequence[Samples]) -> Calibration:
    """The calibration of a setting from the samples of all its images."""
    params = resolve(setting.method, Modality.OTHER, setting.params)
    relative = params.get("task") == "denoise"
    found = fit([pixels_of(one, relative=relative, fitted=setting.fitted) for one in samples])
    return Calibration(
        **_rounded(found),
        key=setting.key,
        label=setting.label,
        method=setting.method,
        sha256=identity(str(params["prior"])).partition(":")[2],
        code=method_digest(setting.method),
        params=fixed(params),
        relative=relative,
        seeds=SEEDS,
    )


def _rounded(found: Measured) -> dict[str, Any]:
    """Its fields, with as many digits as they are worth."""
    return {name: _short(value) for name, value in vars(found).items()}


def _short(value: object) -> object:
    if isinstance(value, Interval):
        return Interval(*(float(f"{end:.4g}") for end in (value.mean, value.low, value.high)))
    return float(f"{value:.5g}") if isinstance(value, float) else value


def write(path: Path, found: Sequence[Calibration]) -> None:
    """Add calibrations to a file; those of the same settings are replaced."""
    keys = {one.key for one in found}
    old = [one for one in read_calibrations(path) if one.key not in keys]
    path.parent.mkdir(parents=True, exist_ok=True)
    data = TypeAdapter(tuple[Calibration, ...]).dump_json((*old, *found), indent=1)
    write_atomic(path, data + b"\n")
    calibrations.cache_clear()
