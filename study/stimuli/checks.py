"""Checks of the images of a study, and the report of a build.

An image is refused if its size, channels or depth differ from the others of its case, or if it is
empty under the window of the case. Marks, a shift, a mirrored image, fewer gray levels and JPEG
blocks are refused unless somebody accepts them by the name of the case. Differences of brightness,
contrast and frame are measured by `study.stimuli.image_similarity` and only reported, because a
method may cause them on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from enhancers.image import Window
from study.domain.errors import BuildError
from study.stimuli.gray_grid import GrayGrid
from study.stimuli.image_similarity import FLAT, ComparedImage, Pixels, Similarity
from study.stimuli.marks import find_mark
from study.stimuli.storage_traces import jpeg_differences, level_differences

_SATURATED = 0.97
"""Share of pixels at the ends of the window above which an image is refused."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did and measured. It names methods: for the coordinator only.

    Parameters
    ----------
    cases, training : int
        All cases, and those for training.
    methods : tuple of str
    rendered, kept : int
        Stimuli of this build, and stimuli of earlier builds that are still valid.
    measured : tuple of Similarity
        One for each stimulus that is not the base of its case.
    notes : tuple of str
        Sentences about files and windows.
    accepted : tuple of str
        Differences that were accepted, each in a sentence.
    """

    cases: int
    training: int
    methods: tuple[str, ...]
    rendered: int
    kept: int
    measured: tuple[Similarity, ...]
    notes: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    def as_text(self, longest: int = 20) -> str:
        """A table of the methods, then the differences that could reveal a method."""
        lines = [
            f"{self.cases} cases ({self.training} for training) x {len(self.methods)} methods: "
            f"{self.rendered} stimuli rendered, {self.kept} kept from before.",
            "",
            f"{'method':32}{'shift':>8}{'brightness':>12}{'contrast':>10}{'frame':>7}{'beyond':>8}",
        ]
        lines += [self._method_line(method) for method in self.methods]
        differing = [f"Case {m.case}, {m.method}: {', '.join(m.findings)}."
                for m in self.measured if m.findings]  # fmt: skip
        if differing:
            lines += [
                "",
                f"{len(differing)} images differ by more than their content:",
            ]
            lines += differing[:longest]
            if len(differing) > longest:
                lines.append(f"... and {len(differing) - longest} more.")
        if self.accepted:
            lines += ["", "Accepted:", *self.accepted[:longest]]
            if len(self.accepted) > longest:
                lines.append(f"... and {len(self.accepted) - longest} more.")
        return "\n".join([*lines, *(["", *self.notes] if self.notes else [])])

    def _method_line(self, method: str) -> str:
        found = [one for one in self.measured if one.method == method]
        if not found:
            return f"{method[:31]:32}{'the base of comparison':>45}"
        brightness = sum(one.brightness for one in found) / len(found)
        contrast = float(np.exp(np.mean([np.log(max(one.contrast, 1e-6)) for one in found])))
        return (
            f"{method[:31]:32}{max(one.shift for one in found):>5.1f} px"
            f"{brightness:>+12.1%}{contrast:>10.2f}"
            f"{max((one.frame for one in found), key=abs):>+7d}"
            f"{sum(bool(one.findings) for one in found):>8d}"
        )


def check_alike(case: str, images: Sequence[ComparedImage]) -> None:
    """Raise BuildError where the images of a case differ in size, channels or depth.

    Raises
    ------
    BuildError
    """
    first = images[0]
    for other in images[1:]:
        if other.pixels.shape[:2] != first.pixels.shape[:2]:
            raise BuildError(
                f"Case {case}: {first.method} is {_size(first.pixels)} and {other.method} "
                f"{_size(other.pixels)} pixels; the size would betray the method. Resample them to "
                "one grid."
            )
        if other.pixels.ndim != first.pixels.ndim:
            colour, gray = (first, other) if first.pixels.ndim == 3 else (other, first)
            raise BuildError(
                f"Case {case}: {colour.method} is in colour and {gray.method} is gray; make all of "
                "them the same."
            )
        if (other.bits <= 8) != (first.bits <= 8):
            low, high = (first, other) if first.bits <= 8 else (other, first)
            raise BuildError(
                f"Case {case}: {low.method} has {low.bits} bits and {high.method} {high.bits}; "
                "coarser gray levels would betray the method. Export all in the same depth."
            )


def check_content(case: str, image: ComparedImage) -> None:
    """Raise BuildError where an image has undefined pixels or shows nothing under the window.

    The pixels may be those of a stack: a slice by itself may be empty.

    Raises
    ------
    BuildError
    """
    pixels = image.pixels
    bad = int(pixels.size - np.isfinite(pixels).sum())
    if bad:
        raise BuildError(
            f"Case {case}: the image of {image.method} has {bad} undefined pixels (NaN or "
            "infinite); export it again."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0.0 or high > 1.0:
        raise BuildError(
            f"Case {case}: the image of {image.method} reaches from {low:g} to {high:g} instead of "
            "0 to 1 of the window."
        )
    if high - low < FLAT:
        raise BuildError(
            f"Case {case}: the image of {image.method} is constant under the window of the case; "
            "its values are on another scale, or it is empty."
        )
    ends = float(((pixels <= 0.0) | (pixels >= 1.0)).mean())
    if ends > _SATURATED:
        raise BuildError(
            f"Case {case}: {ends:.1%} of the image of {image.method} is black or white under the "
            "window of the case; its values are on another scale. Export all images of a case in "
            "the same units."
        )


def telling_differences(
    case: str,
    images: Sequence[ComparedImage],
    base: ComparedImage,
    window: Window,
    grid: GrayGrid,
    measured: Sequence[Similarity],
) -> tuple[str, ...]:
    """Differences of a case by which an image could be recognised, each in a sentence.

    Parameters
    ----------
    case : str
    images : sequence of ComparedImage
        All images of the case.
    base : ComparedImage
        What marks, position and orientation are compared with.
    window, grid
        Of the case.
    measured : sequence of Similarity
        Of the images that come from files; the others share position and storage with the base.
    """
    values = {one.method: window.to_source(one.pixels) for one in images}
    found = list(level_differences(values, grid).values())
    files = {one.method for one in measured} | {base.method} & values.keys()
    if len(files) > 1:
        levels = {name: grid.indices(values[name]) for name in sorted(files)}
        found += jpeg_differences(levels).values()
    similar = {one.method: one for one in measured}
    for image in images:
        if image.method not in similar:
            continue
        moved = similar[image.method].moved
        found += [f"{image.method} is {text} against {base.method}" for text in moved]
        if not moved and (place := find_mark(image, base)):
            found.append(
                f"{image.method} and {base.method} differ at the {place} as if text or a mark were "
                "burned into one of them"
            )
    return tuple(
        f"Case {case}: {text}; export it again, or accept this case if it is meant."
        for text in found
    )


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
