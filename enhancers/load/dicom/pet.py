"""PET: standardised uptake values (SUV) by body weight, where the header holds all they need.

Weight, dose and times of the patient are read for PET only, and are gone with this call: a factor
remains. What is missing is said, and the values stay an activity.

Source: QIBA, "FDG-PET/CT SUV", vendor-neutral pseudo-code of 2012; DICOM PS3.3, C.8.9.1.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from enhancers.load.dicom.header import number, text

NEEDED = (
    "Modality", "Units", "DecayCorrection", "DecayCorrected", "CorrectedImage", "PatientWeight",
    "RadiopharmaceuticalInformationSequence", "DecayCorrectionDateTime",
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime",
    "FrameReferenceTime", "ActualFrameDuration",
)  # fmt: skip
"""The elements that are read for the factor."""
PRIVATE = (0x00090010, 0x0009100D, 0x70530010, 0x70531000, 0x70531009)
"""GE's time of the scan; Philips' factors to SUV and to Bq/ml, each with its owner."""

_GE, _PHILIPS = "GEMS_PETD_01", "Philips PET Private Group"
_LEAST_DOSE, _MOST_WEIGHT, _MOST_HALF_LIVES = 1e4, 1000.0, 20.0
_STAMP = re.compile(r"(\d{8})(\d{2})(\d{2})?(\d{2})?(\.\d{1,6})?")


@dataclass(frozen=True)
class Uptake:
    """What makes SUV of the values of a PET file.

    Parameters
    ----------
    factor : float or None
        SUV for each Bq/ml, or for each count where ``counts``; None where it is not known.
    counts : bool
        Whether the values are counts.
    to_activity : float or None
        Bq/ml for each count; None where the values are no counts, or it is not known.
    note : str
        A sentence for the user.
    """

    factor: float | None
    note: str
    counts: bool = False
    to_activity: float | None = None


def uptake(dataset: Dataset) -> Uptake | None:
    """The factor to SUV of a PET header with `NEEDED`; None where its units are others."""
    units = text(dataset, "Units")
    if units == "CNTS":
        return _philips(dataset)
    if units not in ("BQML", ""):
        return None
    factor, said = _factor(dataset)
    if factor is None:
        return Uptake(None, f"Values are activities in Bq/ml and not SUV: {said}.")
    return Uptake(
        factor,
        f"Values are SUV by body weight: the activity in Bq/ml times {factor:.6g}, with the dose "
        f"{said}.",
    )


def _philips(dataset: Dataset) -> Uptake:
    """Counts, for which Philips states a factor to SUV, or to Bq/ml."""
    owner = str(dataset.get(0x70530010, _Empty).value or "").strip()
    stated = [_private(dataset, tag) if owner.startswith(_PHILIPS) else None
              for tag in (0x70531000, 0x70531009)]  # fmt: skip
    suv, activity = (one if one and one > 0 else None for one in stated)
    if suv is not None:
        note = f"Values are SUV by body weight: counts times the factor of the scanner, {suv:.6g}."
        return Uptake(suv, note, counts=True)
    if activity is None:
        return Uptake(
            None, "Values are counts and not SUV: the file states no factor of the scanner.", True
        )
    factor, said = _factor(dataset)
    if factor is None:
        return Uptake(None, f"Values are activities in Bq/ml and not SUV: {said}.", True, activity)
    note = (
        f"Values are SUV by body weight: counts times the factor of the scanner, {activity:.6g} "
        f"Bq/ml, and times {factor:.6g}, with the dose {said}."
    )
    return Uptake(factor * activity, note, True, activity)


def _factor(dataset: Dataset) -> tuple[float | None, str]:
    """SUV for each Bq/ml and to when the dose was corrected; or None and what is missing."""
    weight = number(dataset, "PatientWeight")
    if weight is None or not 0.0 < weight < _MOST_WEIGHT:
        return None, "the file states no weight of the patient"
    corrected = dataset.get("CorrectedImage") or ()
    words = {str(one).upper() for one in ([corrected] if isinstance(corrected, str) else corrected)}
    if words and "ATTN" not in words:
        return None, "the file says that attenuation was not corrected"
    items = dataset.get("RadiopharmaceuticalInformationSequence")
    if not items or len(items) != 1:
        return None, "the file does not state one radiopharmaceutical"
    dose, half_life = (
        number(items[0], "RadionuclideTotalDose"),
        number(items[0], "RadionuclideHalfLife"),
    )
    if dose is None or dose < _LEAST_DOSE:
        return None, "the file states no dose in Bq"
    decay = text(dataset, "DecayCorrection")
    if not decay and text(dataset, "DecayCorrected") == "YES":
        decay = "START"
    if decay == "ADMIN":
        return 1000.0 * weight / dose, "as it was given, to which the file corrected the decay"
    if decay != "START" or (words and "DECY" not in words):
        return None, "the file does not say to when the decay was corrected"
    if half_life is None or half_life <= 0:
        return None, "the file states no half-life"
    scan = _scan_start(dataset, half_life)
    if scan is None:
        return None, "the file states no time of the scan"
    given = _given(items[0], scan)
    if given is None:
        return None, "the file states no time at which the dose was given"
    passed = (scan - given).total_seconds()
    if not 0.0 <= passed <= _MOST_HALF_LIVES * half_life:
        return None, "the dose was given after the scan, or long before it, by the file's times"
    left = dose * math.pow(2.0, -passed / half_life)
    return 1000.0 * weight / left, f"{left / dose:.4g} of which was left when the scan began"


def _scan_start(dataset: Dataset, half_life: float) -> datetime | None:
    """The time to which the activity was corrected, where that is the start of the scan.

    The series' time is later where a series was made afterwards; the start then follows from the
    middle of the count rate during this frame.
    """
    known = _stamp(str(dataset.get("DecayCorrectionDateTime") or ""))
    if known is not None:
        return known
    series = _moment(dataset, "Series")
    acquired = _moment(dataset, "Acquisition") or _stamp(
        str(dataset.get("AcquisitionDateTime") or "")
    )
    if series is not None and (acquired is None or series <= acquired):
        return series
    if str(dataset.get(0x00090010, _Empty).value or "").strip() == _GE:
        stated = _stamp(str(dataset.get(0x0009100D, _Empty).value or ""))
        if stated is not None:
            return stated
    reference, duration = (
        number(dataset, "FrameReferenceTime"),
        number(dataset, "ActualFrameDuration"),
    )
    if acquired is None or reference is None or duration is None or duration <= 0:
        return None
    rate = math.log(2.0) / half_life
    during = rate * duration / 1000.0
    middle = math.log(during / -math.expm1(-during)) / rate
    return acquired - timedelta(seconds=reference / 1000.0 - middle)


def _given(item: Dataset, scan: datetime) -> datetime | None:
    """When the dose was given; a time without a date is the last one before the scan."""
    full = _stamp(str(item.get("RadiopharmaceuticalStartDateTime") or ""))
    if full is not None:
        return full
    day = scan.strftime("%Y%m%d")
    found = _stamp(day + str(item.get("RadiopharmaceuticalStartTime") or ""))
    if found is not None and found > scan:
        found -= timedelta(days=1)
    return found


def _moment(dataset: Dataset, name: str) -> datetime | None:
    day, time = str(dataset.get(name + "Date") or ""), str(dataset.get(name + "Time") or "")
    return _stamp(day + time)


def _stamp(value: str) -> datetime | None:
    """A date and time, its offset from UTC left out; None where it is incomplete."""
    found = _STAMP.match(value.replace(":", "").strip())
    if found is None:
        return None
    day, hour, minute, second, fraction = found.groups()
    try:
        start = datetime.strptime(f"{day}{hour}{minute or '00'}{second or '00'}", "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return start + timedelta(seconds=float(fraction or 0.0))


def _private(dataset: Dataset, tag: int) -> float | None:
    value = dataset.get(tag, _Empty).value
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


class _Empty:
    """Stands for an element that is missing."""

    value = None
