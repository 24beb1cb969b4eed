"""What the values of a DICOM image measure: their units, and the map from the modality output.

A unit is taken from the file, by its code (UCUM, CID 83 and others): never from what is usual.
Clause numbers refer to DICOM PS3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from enhancers.image import NamedWindow, Window
from enhancers.load.dicom.header import number, rescale, table, text
from enhancers.load.dicom.pet import Uptake
from enhancers.load.raw import on_line

SUV_WINDOW = NamedWindow("SUV 0 to 10", Window(0.0, 10.0))
"""The usual range of SUV, gray, zero black."""

_UCUM = {
    "[hnsf'U]": "HU", "Bq/ml": "Bq/ml", "Bq/mL": "Bq/ml", "kBq/ml": "kBq/ml", "kBq/mL": "kBq/ml",
    "g/ml{SUVbw}": "SUV", "{SUVbw}g/ml": "SUV",
    "g/ml{SUVlbm}": "SUV (lean body mass)", "{SUVlbm}g/ml": "SUV (lean body mass)",
    "cm2/ml{SUVbsa}": "SUV (body surface)", "{SUVbsa}cm2/ml": "SUV (body surface)",
    "mm2/s": "mm²/s", "um2/s": "µm²/s", "10-6.mm2/s": "10⁻⁶ mm²/s", "10*-6.mm2/s": "10⁻⁶ mm²/s",
    "10-3.mm2/s": "10⁻³ mm²/s", "10*-3.mm2/s": "10⁻³ mm²/s",
    "s": "s", "ms": "ms", "us": "µs", "/s": "1/s", "1/s": "1/s", "/min": "1/min", "1/min": "1/min",
    "Hz": "Hz", "rad": "rad", "deg": "deg", "%": "%", "[ppm]": "ppm", "ppm": "ppm",
    "Gy": "Gy", "cGy": "cGy", "mg/ml": "mg/ml", "mg/mL": "mg/ml", "ug/ml": "µg/ml",
    "mmol/l": "mmol/l", "mmol/L": "mmol/l", "ml/min/g": "ml/min/g", "ml/g/min": "ml/min/g",
    "ml/100g/min": "ml/100 g/min", "ml/(100.g.min)": "ml/100 g/min",
    "ml/100ml/min": "ml/100 ml/min", "ml/100g": "ml/100 g", "mm": "mm", "um": "µm", "mm/s": "mm/s",
    "cm/s": "cm/s", "m/s": "m/s", "kPa": "kPa", "Pa": "Pa", "T": "T", "uT": "µT",
}  # fmt: skip
_WITHOUT_UNIT = frozenset(("", "1", "{no_units}", "no units", "{counts}", "[arb'U]"))
_PET = {
    "BQML": "Bq/ml", "CNTS": "counts", "CPS": "counts/s", "PCNT": "%", "GML": "SUV",
    "CM2ML": "SUV (body surface)", "MGMINML": "mg/min/ml", "UMOLMINML": "µmol/min/ml",
    "MLMING": "ml/min/g", "MLG": "ml/g", "1CM": "1/cm", "UMOLML": "µmol/ml",
    "PROPCNTS": "proportional to counts", "PROPCPS": "proportional to counts/s",
    "MLMINML": "ml/min/ml", "MLML": "ml/ml", "STDDEV": "standard deviations",
}  # fmt: skip
_SUV_TYPES = {"": "SUV", "BW": "SUV", "LBM": "SUV (lean body mass)", "BSA": "SUV (body surface)",
              "LBMJAMES128": "SUV (lean body mass)", "LBMJANMA": "SUV (lean body mass)",
              "IBW": "SUV (ideal body weight)"}  # fmt: skip
_RESCALE_TYPES = {"MGML": "mg/ml", "PCT": "%"}
_ADC = frozenset(("ADC", "ADC_UNSPECIFIED", "DIFFUSION_ADC"))


@dataclass(frozen=True, eq=False)
class Quantity:
    """What values measure, and how they follow from the output of the modality transformation.

    Parameters
    ----------
    units : str
        Empty for those of the modality.
    slope, intercept : float
        The quantity is ``slope * output + intercept``.
    table : (first, values) or None
        The quantity of each stored value from ``first`` on, instead of a line.
    window : NamedWindow or None
        The usual window, before those of the file.
    notes : tuple of str
    """

    units: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    table: tuple[int, NDArray[np.float64]] | None = None
    window: NamedWindow | None = None
    notes: tuple[str, ...] = ()

    def of(self, output: NDArray[Any]) -> NDArray[Any]:
        """The quantity of output values, along the line."""
        return on_line(output, self.slope, self.intercept)

    def undone(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The output values of a quantity along the line."""
        return (np.asarray(values, np.float64) - self.intercept) / self.slope

    def looked_up(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """The quantity of stored values, by the table; values outside are those of its ends."""
        assert self.table is not None
        first, values = self.table
        return values[np.clip(stored.astype(np.int64) - first, 0, len(values) - 1)]

    def window_of(self, named: NamedWindow) -> NamedWindow | None:
        """A window of the output as one of the quantity; None where a table has no such."""
        if self.table is not None:
            return None
        low, high = (self.slope * end + self.intercept for end in named.window.ends)
        return NamedWindow(named.name, Window(min(low, high), max(low, high)))


def quantity(
    dataset: Dataset, item: Dataset, maps: Sequence[Dataset], uptake: Uptake | None
) -> Quantity:
    """The quantity of a frame's values.

    Parameters
    ----------
    dataset : Dataset
    item : Dataset
        With the rescale elements of the frame.
    maps : sequence of Dataset
        Items of Real World Value Mapping Sequence (C.7.6.16.2.11) for the frame.
    uptake : Uptake or None
        For PET.
    """
    code = text(dataset, "Modality")
    hounsfield = code == "CT" and number(item, "RescaleIntercept") is not None
    mapped = None if hounsfield else _mapped(maps, item, dataset)
    if mapped is not None:
        return _with_window(mapped)
    if code == "RTDOSE":
        return _dose(dataset)
    if code == "PT":
        return _with_window(_activity(dataset, uptake))
    kind = text(item, "RescaleType")
    if kind in _RESCALE_TYPES:
        return Quantity(_RESCALE_TYPES[kind])
    return Quantity(notes=(*_unknown_map(dataset), *_philips_scale(dataset)))


def _with_window(found: Quantity) -> Quantity:
    return replace(found, window=SUV_WINDOW) if found.units.startswith("SUV") else found


def _dose(dataset: Dataset) -> Quantity:
    """The dose of a grid (C.8.8.3): stored values times Dose Grid Scaling."""
    scaling = number(dataset, "DoseGridScaling")
    relative = text(dataset, "DoseUnits") != "GY"
    units = "relative dose" if relative else "Gy"
    notes = []
    if scaling is None or scaling <= 0:
        scaling, units = 1.0, "relative dose"
        notes.append("The file states no Dose Grid Scaling: values are relative, as stored.")
    if text(dataset, "DoseType") == "ERROR":
        notes.append("Values are the difference between a dose and a desired one.")
    if text(dataset, "DoseType") == "EFFECTIVE":
        notes.append("Values are an effective dose, corrected for its biological effect.")
    return Quantity(units, scaling, notes=tuple(notes))


def _activity(dataset: Dataset, uptake: Uptake | None) -> Quantity:
    units = text(dataset, "Units")
    if units == "GML":
        return Quantity(_SUV_TYPES.get(text(dataset, "SUVType"), "SUV"))
    if uptake is None:
        return Quantity(_PET.get(units, ""))
    if uptake.factor is not None:
        return Quantity("SUV", uptake.factor, notes=(uptake.note,))
    if uptake.counts and uptake.to_activity is None:
        return Quantity("counts", notes=(uptake.note,))
    return Quantity("Bq/ml", uptake.to_activity or 1.0, notes=(uptake.note,))


def _mapped(maps: Sequence[Dataset], item: Dataset, dataset: Dataset) -> Quantity | None:
    """The first map to a known unit; None where there is none."""
    notes: list[str] = []
    for one in maps:
        codes = one.get("MeasurementUnitsCodeSequence")
        value = str(codes[0].get("CodeValue", "")).strip() if codes else ""
        if value not in _UCUM:
            if value not in _WITHOUT_UNIT:
                notes.append("The file maps its values to a unit that is not known here.")
            continue
        found = _line(one, item, dataset) or _lookup(one)
        if found is not None:
            return replace(found, units=_UCUM[value])
    return Quantity(notes=(notes[0], *_philips_scale(dataset))) if notes else None


def _line(one: Dataset, item: Dataset, dataset: Dataset) -> Quantity | None:
    """A map by slope and intercept of stored values, as one of the modality's output."""
    slope, intercept = number(one, "RealWorldValueSlope"), number(one, "RealWorldValueIntercept")
    if slope is None or intercept is None or slope == 0.0:
        return None
    if table(dataset, "ModalityLUTSequence") is not None:
        return None
    own, shift = rescale(item)
    return Quantity("", slope / own, intercept - slope / own * shift)


def _lookup(one: Dataset) -> Quantity | None:
    """A map by the values of a table, whose first is that of the first stored value mapped."""
    first, data = number(one, "RealWorldValueFirstValueMapped"), one.get("RealWorldValueLUTData")
    try:
        values = np.atleast_1d(np.asarray(data, np.float64))
    except (TypeError, ValueError):
        return None
    if first is None or values.size < 2 or not np.isfinite(values).all():
        return None
    note = "Values are those of the file's real-world value table; values outside it are its ends."
    return Quantity(table=(int(first), values), notes=(note,))


def _unknown_map(dataset: Dataset) -> tuple[str, ...]:
    words = dataset.get("ImageType") or ()
    kinds = {str(one).upper() for one in ([words] if isinstance(words, str) else words)}
    if not kinds & _ADC:
        return ()
    return (
        "This is a map of apparent diffusion coefficients whose file states no units. Many "
        "scanners store multiples of 10⁻⁶ mm²/s; the values are shown as they are stored.",
    )


def _philips_scale(dataset: Dataset) -> tuple[str, ...]:
    """Philips' private scale of MR values, which makes series comparable; only mentioned."""
    owner = dataset.get(0x20050010)
    slope = dataset.get(0x2005100E)
    if owner is None or slope is None or not str(owner.value).startswith("Philips MR Imaging DD"):
        return ()
    try:
        scale = float(slope.value)
    except (TypeError, ValueError):
        return ()
    if not np.isfinite(scale) or scale <= 0 or number(dataset, "RescaleSlope") is None:
        return ()
    own = rescale(dataset)[0]
    return (
        f"Philips states a private scale, too: values divided by {own * scale:.6g} can be compared "
        "between series. It was not applied.",
    )
