"""Conversion of source values to a `MedicalImage`: checks, default window, guessed modality."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError, ParameterError
from enhancers.image import MedicalImage, NamedWindow, Pixels, Window
from enhancers.load.aspect import oblong_notes
from enhancers.load.file_format import VOLUMES
from enhancers.load.raw import RawSlice
from enhancers.measured import Measured
from enhancers.method import Modality

CT_WINDOW = Window(-160.0, 240.0)
"""Soft tissue in HU, where a CT file states no window."""

_OTHERWISE = "Choose another modality to see them in the range of the file."
ASSUMED_CT = (
    "CT was assumed, because the values look like Hounsfield units, with air and soft tissue. "
    + _OTHERWISE
)
HINTED_CT = (
    "CT was assumed, because the header speaks of CT and the values fit Hounsfield units. "
    + _OTHERWISE
)

_FROM_ZERO = frozenset(("Bq/ml", "kBq/ml", "counts", "Gy", "cGy", "relative dose"))
_BELOW_AIR, _DENSE = -1200.0, 3100.0
_SAMPLE_LIMIT = 1_000_000
_BLOCK = 1_000_000


def finish(
    raw: RawSlice,
    digest: str,
    window: tuple[float, float] | None,
    series: RawSlice | None = None,
) -> MedicalImage:
    """Check the values, choose modality and window, and build the image.

    Parameters
    ----------
    raw : RawSlice
    digest : str
        Of the file.
    window : (low, high) or None
        In source units; None takes that of the file, or the default.
    series : RawSlice, optional
        What decides the modality, units and window of every slice of a series of files
        (`enhancers.series.window`); by default the slice itself does.

    Raises
    ------
    ImageReadError
        Not finite, or constant and the only slice.
    ParameterError
        ``window`` is not two finite numbers in ascending order.
    """
    source = as_source(raw.values)
    notes = _check_contrast(raw, source)
    raw = replace(
        raw,
        values=source,
        windows=tuple(NamedWindow(w.name, w.window.turned(raw.inverted)) for w in raw.windows),
        warnings=(*raw.warnings, *oblong_notes(raw.spacing), *notes),
    )
    basis = raw
    if series is not None:
        basis = replace(series, inverted=raw.inverted, warnings=raw.warnings)
    modality = raw.modality or guess_modality(basis.values, basis)
    chosen, units, warnings = interpret(basis, window, modality)
    if raw.modality is None and units == "HU":
        warnings = (HINTED_CT if raw.hint is Modality.CT else ASSUMED_CT, *warnings)
    return MedicalImage(
        pixels=to_unit(source, chosen),
        window=chosen,
        source=source,
        units=units,
        modality=modality,
        modality_origin="guessed" if raw.modality is None else "file",
        spacing=raw.spacing,
        geometry=raw.geometry,
        region=raw.region,
        bits=max(raw.bits, 8),
        format=raw.format,
        digest=digest,
        plane=raw.plane,
        slice_index=raw.slice_index,
        slice_count=raw.slice_count,
        time_index=raw.time_index,
        time_count=raw.time_count,
        tags=raw.tags,
        warnings=warnings,
        windows=raw.windows,
        measured=None if raw.spectrum is None else Measured(spectrum=raw.spectrum),
        reading=partial(interpret, basis, window),
    )


def interpret(
    raw: RawSlice, given: tuple[float, float] | None, modality: Modality
) -> tuple[Window, str, tuple[str, ...]]:
    """The window, the units and the sentences of a slice that is taken for a modality.

    Values are Hounsfield units where the file says so, or is silent and has values below zero.

    Parameters
    ----------
    raw : RawSlice
        With values as `finish` made them.
    given : (low, high) or None
        The window that was asked for, which no modality changes.
    modality : Modality

    Raises
    ------
    ParameterError
        ``given`` is not two finite numbers in ascending order.
    """
    likely = raw.modality is None and float(_content(raw, raw.values).min()) < 0.0
    hounsfield = modality is Modality.CT and (raw.units == "HU" or likely)
    units = "HU" if hounsfield else "a.u." if raw.units == "HU" else raw.units
    if given is not None:
        return _given(given).turned(raw.inverted), units, raw.warnings
    chosen, note = _choose(raw, modality, units)
    return chosen.turned(raw.inverted), units, (*raw.warnings, *([note] if note else []))


def to_unit(source: Pixels, window: Window) -> Pixels:
    """`Window.to_unit` in blocks of rows: its double precision takes little memory so."""
    pixels = np.empty_like(source)
    rows = max(1, _BLOCK // max(1, source[:1].size))
    for first in range(0, len(source), rows):
        pixels[first : first + rows] = window.to_unit(source[first : first + rows])
    return pixels


def as_source(values: NDArray[Any]) -> Pixels:
    """Source values as finite float32; three equal channels become one.

    Scanners and cameras may store gray images as RGB; one channel holds all information.
    """
    if values.ndim == 3 and _channels_equal(values):
        values = values[..., 0]
    # A value beyond single precision becomes Inf here and is reported below.
    with np.errstate(over="ignore"):
        source = np.ascontiguousarray(values, np.float32)
    finite = np.isfinite(source)
    if not finite.all():
        bad = int(source.size - finite.sum())
        kind = "NaN" if np.isnan(source).any() else "infinite or larger than 3.4e38"
        share = "every value is" if bad == source.size else f"{bad} of {source.size} values are"
        raise ImageReadError(
            f"The image holds undefined pixels: {share} {kind}. Replace them and export again."
        )
    return source


def _check_contrast(raw: RawSlice, source: Pixels) -> tuple[str, ...]:
    """Raise where the only slice of a file is constant; a note where one of several is."""
    low, high = float(source.min()), float(source.max())
    if low < high:
        return ()
    if raw.slice_count == 1:
        raise ImageReadError(
            f"The image is constant: every pixel is {low:g}. There is nothing to enhance; "
            "choose another slice or file."
        )
    return (f"This slice is constant: every pixel is {low:g}. Choose another one to enhance.",)


def _channels_equal(values: NDArray[Any]) -> bool:
    first = values[..., 0]
    return bool((first == values[..., 1]).all() and (first == values[..., 2]).all())


# All slices of a file have one sample, and so one guess, which takes longer than many a method.
_Guess = tuple[NDArray[Any] | None, Modality | None, Modality]
_guessed: list[_Guess] = [(None, None, Modality.OTHER)]


def guess_modality(source: Pixels, raw: RawSlice) -> Modality:
    """CT for the histogram of Hounsfield units, fundus for a red disc on black."""
    if source.ndim == 3:
        return Modality.FUNDUS if _looks_like_fundus(source) else Modality.OTHER
    sample, hint, guess = _guessed[0]
    if raw.sample is None or raw.sample is not sample or raw.hint is not hint:
        guess = _guess_of_gray(_content(raw, source), raw.hint)
        _guessed[0] = raw.sample, raw.hint, guess
    return guess


def _guess_of_gray(content: NDArray[Any], hint: Modality | None) -> Modality:
    if _looks_like_ct(content) or (hint is Modality.CT and _fits_hounsfield(content)):
        return Modality.CT
    return Modality.MR if hint is Modality.MR else Modality.OTHER


def _fits_hounsfield(content: NDArray[Any]) -> bool:
    """Whether values lie where Hounsfield units do, with some below water and some above."""
    body = _thin(content)
    body = body[body >= _BELOW_AIR]
    if body.size == 0:
        return False
    low, high = np.percentile(body, (1, 99))
    return bool(low < 0.0 < high <= _DENSE)


def _looks_like_ct(content: NDArray[Any]) -> bool:
    """Whether values have the histogram of Hounsfield units.

    Air or lung (-1050 to -650 HU) and soft tissue (-150 to 250 HU) are both there, and between them
    there is less; below air there is at most a padding of one or two values. Whole numbers need a
    hint of that only, resampled values clear peaks.
    """
    values = _thin(content)
    low = values[values < _BELOW_AIR]
    if low.size > 0.9 * values.size or np.unique(low).size > 2:
        return False
    body = values[values >= _BELOW_AIR]
    air, gap, tissue = (
        np.histogram(body, np.arange(first, last + 1, 100))[0]
        for first, last in ((-1050, -650), (-650, -150), (-150, 250))
    )
    clear = 0.8 if np.array_equal(body, np.rint(body)) else 3.0
    least = max(clear * gap.min(), 0.01 * body.size)
    # A tail of wide noise around zero falls all the way.
    enough = min(air.max(), tissue.max()) >= least and air.sum() >= 0.01 * body.size
    return bool(enough and np.percentile(body, 99) <= _DENSE)


def _looks_like_fundus(source: Pixels) -> bool:
    # Subsampling keeps this cheap and preserves the shape of the aperture.
    step = max(1, min(source.shape[:2]) // 256)
    small = source[::step, ::step]
    bright = small.max(axis=2)
    lit = bright > 0.15 * np.percentile(bright, 95)
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if rows.size == 0 or columns.size == 0:
        return False
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    box = lit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # A disc fills pi/4 of its box, and more where the sensor cuts it at top and bottom.
    cut = min(height / width, 1.0)
    expected = (cut * math.sqrt(1.0 - cut * cut) + math.asin(cut)) / (2.0 * cut)
    round_enough = abs(box.mean() - expected) < 0.08 and 0.55 < height / width < 1.15
    red, green, blue = (float(small[..., c][lit].mean()) for c in range(3))
    corners = [box[r, c] for r in (0, -1) for c in (0, -1)]
    return bool(round_enough and not any(corners) and red > 1.25 * green and green > blue)


def _given(window: tuple[float, float]) -> Window:
    low, high = (float(end) for end in window)
    if math.isfinite(low) and math.isfinite(high) and low < high:
        return Window(low, high)
    raise ParameterError(
        f"The window {low}..{high} is not possible; give two numbers, the lower one first."
    )


def _choose(raw: RawSlice, modality: Modality, units: str) -> tuple[Window, str]:
    """The first window that shows the image: the file's, the default, or percentiles.

    All slices of a file have one window, which its sample decides.
    """
    source = raw.values
    content = _content(raw, source)
    reason = "The image states no window; "
    for one in raw.windows:
        if shows(one.window, source) or shows(one.window, content):
            return one.window, ""
    if raw.windows:
        low, high = raw.windows[0].window.ends
        reason = f"The stated window, {low:g} to {high:g}, shows nothing of this image; "
    colour = source.ndim == 3
    usual = CT_WINDOW if units == "HU" and not colour else _usual(raw, content, colour)
    if usual is CT_WINDOW and shows(usual, content):
        return usual, f"{reason}soft tissue, {usual.low:g} to {usual.high:g} HU, is shown."
    if usual is not None and usual is not CT_WINDOW:
        return usual, "" if not raw.windows else f"{reason}the stored range is shown."
    chosen = _robust(raw, content, modality is Modality.MR or units in _FROM_ZERO)
    values = "the image" if raw.slice_count == 1 else "its slices"
    return chosen, f"{reason}{chosen.low:g} to {chosen.high:g} ({units}) was taken from {values}."


def _content(raw: RawSlice, source: Pixels) -> NDArray[Any]:
    """The finite values of the file's slices in one row; those of this one if it has no sample."""
    if raw.sample is not None:
        sample = _thin(raw.sample)
        # Other slices may hold NaN.
        sample = sample[np.isfinite(sample)]
        if sample.size and sample.min() < sample.max():
            return sample
    return source.reshape(-1)


def shows(window: Window, content: NDArray[Any]) -> bool:
    """Whether some of the values are inside a window or on both sides of it."""
    low, high = window.ends
    return float(content.max()) > low and float(content.min()) < high


def _usual(raw: RawSlice, content: NDArray[Any], colour: bool) -> Window | None:
    if raw.extent is None:
        inside = float(content.min()) >= 0.0 and float(content.max()) <= 1.0
        return Window(0.0, 1.0) if inside and raw.format != "DICOM" else None
    if raw.bits <= 8:
        return Window(*raw.extent)
    picture = raw.format not in ("DICOM", *VOLUMES) or colour
    if picture and raw.extent[0] == 0.0:
        # Single precision may round a 32-bit maximum up to the next power of two.
        bits = min(raw.bits, max(8, math.ceil(math.log2(float(content.max()) + 1))))
        return Window(0.0, 2.0**bits - 1)
    return None


def _robust(raw: RawSlice, content: NDArray[Any], from_zero: bool) -> Window:
    """Percentiles of the content; MR, activity and dose start at zero: a low value informs."""
    shown = _thin(content)
    if raw.padding is not None:
        inside = (shown < raw.padding[0]) | (shown > raw.padding[1])
        shown = shown[inside] if inside.any() else shown
    else:
        shown = _without_background(shown)
    if from_zero:
        low, high = min(0.0, float(shown.min())), float(np.percentile(shown, 99.8))
    else:
        low, high = (float(v) for v in np.percentile(shown, (0.1, 99.9)))
    if low < high:
        return Window(low, high)
    low, high = float(content.min()), float(content.max())
    # A constant slice, of a file that was not sampled or shows nothing where it was.
    return Window(low, high if low < high else low + 1.0)


def _without_background(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values without the lowest, where that is negative and farther off than all others span.

    Some programs fill the background with the lowest number of the type.
    """
    lowest = values.min()
    rest = values[values > lowest]
    far = lowest < 0.0 and rest.size > 0 and rest.min() - lowest > rest.max() - rest.min() > 0.0
    return rest if far else values


def _thin(values: NDArray[Any]) -> NDArray[np.float64]:
    flat = values.reshape(-1)
    return np.asarray(flat[:: max(1, flat.size // _SAMPLE_LIMIT)], np.float64)
