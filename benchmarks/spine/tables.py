"""The tables of the page, the paper's figures beside ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from benchmarks.reconstruction.tables import table
from benchmarks.spine.floors import MEASURES, ahead_text
from benchmarks.spine.found import CURVES, Found
from benchmarks.spine.published import (
    PUBLISHED_ABLATION,
    PUBLISHED_MS_SSIM,
    PUBLISHED_PSNR,
    PUBLISHED_RATIOS,
    label,
)
from benchmarks.spine.settings import (
    BEST,
    CLEAN,
    COMPARED,
    FUSED,
    MASK,
    ONE,
    SEEDS,
    SHIPPED,
    SHRUNK,
    VARIANTS,
    started,
)
from enhancers.phantoms.spine import DEPTHS

NUMBERS = [str(number) for number in range(1, DEPTHS + 1)]
PUBLISHED = {"psnr": PUBLISHED_PSNR, "ms_ssim": PUBLISHED_MS_SSIM}
REFERENCES = (CLEAN, SHRUNK, MASK)
"""What is no method."""
NONE = "—"
PAPER = "Paper: "


def with_sd(values: Iterable[float], digits: int) -> str:
    """Mean ± SD; a dash for none."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return NONE
    sd = f" ± {np.std(known, ddof=1):.{digits}f}" if len(known) > 1 else ""
    return f"{np.mean(known):.{digits}f}{sd}"


def _cell(found: Found, key: str, measure: str, digits: int) -> str:
    return with_sd(found.values(key, measure).values(), digits)


def _volumes(found: Found, key: str) -> str:
    return str(len(found.of(key)))


def to_truth(found: Found, measure: str, digits: int) -> list[str]:
    """Table II against the artefact-free image."""
    lines = []
    for name in _methods(found):
        cells = [_cell(found, f"{name}@{place}", measure, digits) for place in (*NUMBERS, "best")]
        lines.append([label(name), *cells, _cell(found, name, measure, digits),
                      _counts(found, name)])  # fmt: skip
    heads = [*(f"d = {number}" for number in NUMBERS), "best depth", "all depths"]
    return table(["given", *heads, "volumes"], lines)


def _methods(found: Found) -> list[str]:
    """The methods that make an image, without what they are given."""
    names = [key.partition("@")[0] for key in found.candidates if "#" not in key or key == ONE]
    return [name for name in dict.fromkeys(names) if name not in (MASK, CLEAN)]


def _counts(found: Found, name: str) -> str:
    keys = [key for key in found.candidates if key.partition("@")[0] == name]
    counts = {len(found.of(key)) for key in keys}
    return str(max(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def to_best(found: Found, measure: str, digits: int) -> list[str]:
    """Table II as in the paper: against the best depth, which no method has without its noise."""
    lines = []
    for name in _methods(found):
        if not any(found.values(f"{name}@{number}", measure) for number in NUMBERS):
            continue
        lines.append(_with_mean(found, label(name), [(f"{name}@{number}", f"{measure}_best")
                                                      for number in NUMBERS], digits))  # fmt: skip
    lines += [
        _with_mean(found, f"{label(key)}, compared with depth d",
                   [(key, f"{measure}_{number}") for number in NUMBERS], digits)
        for key in COMPARED if found.of(key)
    ]  # fmt: skip
    for name, figures in PUBLISHED[measure].items():
        lines.append([f"{PAPER}{name}", *(f"{figure:.{digits}f}" for figure in figures)])
    return table(["method", *(f"d = {number}" for number in NUMBERS), "mean"], lines)


def _with_mean(
    found: Found, name: str, places: Sequence[tuple[str, str]], digits: int
) -> list[str]:
    cells = [_cell(found, key, measure, digits) for key, measure in places]
    means = [found.mean(key, measure) for key, measure in places]
    known = [mean for mean in means if math.isfinite(mean)]
    return [name, *cells, f"{np.mean(known):.{digits}f}" if known else NONE]


def ratios(found: Found) -> list[str]:
    """Table III."""
    lines = [
        [label(key), _cell(found, key, "cnr", 2), _cell(found, key, "snr", 2),
         _volumes(found, key)]
        for key in _main(found) if key != MASK
    ]  # fmt: skip
    lines += [[f"{PAPER}{name}", *_published(figures), NONE]
              for name, figures in PUBLISHED_RATIOS.items()]  # fmt: skip
    return table(["image", "CNR, dB", "SNR, dB", "volumes"], lines)


def _published(figures: Sequence[float]) -> list[str]:
    cnr, cnr_sd, snr, snr_sd = figures
    return [f"{cnr:.2f} ± {cnr_sd:.2f}", f"{snr:.2f} ± {snr_sd:.2f}"]


def _main(found: Found) -> list[str]:
    """One image of each method: of all depths, or else of the best."""
    names = [key for key in found.candidates if "#" not in key or key == ONE]
    return [
        key for key in names
        if "@" not in key or (key.endswith("@best") and key.partition("@")[0] not in VARIANTS)
    ]  # fmt: skip


ABLATION = {"segmentation": "@segmentation", "best": "@best", "all": ""}


def ablation(found: Found) -> list[str]:
    """Table V, on the volumes that all variants were measured on."""
    papers = list(PUBLISHED_ABLATION.items())
    rows = [("Best depth itself", BEST, papers[0][1])]
    for variant in VARIANTS:
        for (words, figures), ending in zip(papers[1:], ABLATION.values(), strict=True):
            rows.append((f"{label(variant)}: {words}", f"{variant}{ending}", figures))
    common = set.intersection(*({row.case for row in found.of(key)} for _, key, _ in rows))
    lines = []
    for name, key, figures in rows:
        cells = [
            with_sd([value for case, value in found.values(key, measure).items()
                     if case in common], digits)
            for measure, digits in (("cnr", 2), ("snr", 2), ("psnr", 2), ("ms_ssim", 3),
                                    ("dice", 3))
        ]  # fmt: skip
        error = with_sd([value for (case, _), value in found.errors(key).items()
                         if case in common], 1)  # fmt: skip
        lines.append([name, *cells, error, ", ".join(_published(figures))])
    heads = ["CNR, dB", "SNR, dB", "PSNR, dB", "MS-SSIM", "Dice of structures", "angle error, °",
             "paper: CNR, SNR, dB"]  # fmt: skip
    return [f"Volumes with all of them: {len(common)}.", "", *table(["led by", *heads], lines)]


def starts(found: Found) -> list[str]:
    """The spread over starts of the noise, and the start by inversion."""
    lines = []
    for variant in VARIANTS:
        keys = [started(variant, seed) for seed in range(SEEDS)]
        cells = []
        for measure, digits in (("psnr", 2), ("ms_ssim", 3), ("uca_t", 1), ("uca_l", 1)):
            each = [found.values(key, measure) for key in keys]
            common = set.intersection(*(set(values) for values in each))
            spread = [float(np.std([values[case] for values in each], ddof=1)) for case in common]
            cells.append(f"{np.mean(spread):.{digits}f}" if spread else NONE)
        inverted = f"{variant}@inversion"
        gains = [ahead_text(found.ahead(inverted, keys[0], measure), digits)
                 for measure, _, _, digits in MEASURES]  # fmt: skip
        gains.append(ahead_text(found.angle_ahead(inverted, keys[0]), 1))
        lines.append([label(variant), *cells, *gains, _volumes(found, inverted)])
    heads = ["SD of PSNR, dB", "SD of MS-SSIM", "SD of UCA-T, °", "SD of UCA-L, °",
             "inversion: PSNR, dB", "inversion: MS-SSIM", "inversion: angle error smaller by, °",
             "volumes"]  # fmt: skip
    return table(["variant", *heads], lines)


def angles(found: Found) -> list[str]:
    """The error of the automatic measurement on each image."""
    lines = []
    for key in [*_main(found), FUSED, *(f"{variant}@best" for variant in VARIANTS)]:
        lost, every = found.unmeasured(key)
        if not every:
            continue
        cells = []
        for curve in CURVES:
            errors = [error for (_, which), error in found.errors(key).items() if which == curve]
            cells.append(with_sd(errors, 1))
            known = found.agreement(key, curve)
            cells += [NONE, NONE] if known is None else [
                _estimated(known.bias.value, known.bias.low, known.bias.high),
                _between(known.lower.value, known.upper.value),
            ]  # fmt: skip
        lines.append([label(key), *cells, f"{lost} of {every}"])
    heads = [f"{curve}: {what}" for curve in CURVES
             for what in ("absolute error, °", "bias, °", "limits of agreement, °")]  # fmt: skip
    return table(["measured on", *heads, "not measurable"], lines)


def _estimated(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:+.1f}" + ("" if low is None else f" ({low:+.1f} to {high:+.1f})")


def _between(low: float | None, high: float | None) -> str:
    return NONE if low is None or high is None else f"{low:+.1f} to {high:+.1f}"


def differences(found: Found) -> list[str]:
    """The method against each other image."""
    lines = []
    for key in [key for key in _main(found) if key not in (SHIPPED, *REFERENCES)]:
        cells = [ahead_text(found.ahead(SHIPPED, key, measure), digits)
                 for measure, _, _, digits in MEASURES]  # fmt: skip
        smaller = ahead_text(found.angle_ahead(SHIPPED, key), 1)
        lines.append([label(key), *cells, smaller, _volumes(found, key)])
    heads = ["PSNR, dB", "MS-SSIM", "angle error smaller by, °", "volumes"]
    return table([f"{label(SHIPPED)} minus", *heads], lines)


def times(found: Found) -> list[str]:
    """Network calls and seconds, as they were on the machine that measured."""
    lines = []
    for key in _main(found):
        rows = found.of(key)
        if key not in REFERENCES and not key.startswith("input"):
            calls = round(float(np.mean([row.measured.calls for row in rows])))
            seconds = float(np.median([row.measured.seconds for row in rows]))
            lines.append([label(key), str(calls), f"{seconds:.1f}"])
    return table(["method", "network calls", "median seconds"], lines)


def by_level(found: Found) -> list[str]:
    """PSNR and the angle error of subjects who are easy and difficult to image."""
    lines = []
    for key in _main(found):
        if key in REFERENCES:
            continue
        cells: list[str] = []
        for level in _levels(found):
            known: Mapping[str, float] = found.values(key, "psnr")
            psnr = [v for case, v in known.items() if found.truths[case].level == level]
            errors = [v for (case, _), v in found.errors(key).items()
                      if found.truths[case].level == level]  # fmt: skip
            cells += [with_sd(psnr, 2), with_sd(errors, 1)]
        lines.append([label(key), *cells])
    heads = [f"{level}: {what}" for level in _levels(found)
             for what in ("PSNR, dB", "angle error, °")]  # fmt: skip
    return table(["method", *heads], lines)


def _levels(found: Found) -> list[str]:
    there = {truth.level for truth in found.truths.values()}
    return [level for level in ("easy", "moderate", "poor") if level in there]
