"""Series that are one volume at several times."""

from __future__ import annotations

import re
from dataclasses import replace

from enhancers.errors import ParameterError
from enhancers.series.found import Series, SeriesFound

_ONE_OF = re.compile(r"(.+) (\d+) of (\d+)")


def without_number(one: Series) -> Series | None:
    """A series without what differs from one time to the next; None where it is not one of many."""
    match = _ONE_OF.fullmatch(one.parts[-1]) if one.parts else None
    if match is None:
        return None
    number, _, _ = one.key.partition(".")
    parts = (*one.parts[:-1], f"{match[1]} of {match[3]}", str(len(one.slices)))
    distance = None if one.slice_spacing is None else round(one.slice_spacing, 3)
    return replace(
        one, key=number, parts=parts, slices=(), notes=(), slice_spacing=distance,
        reference=0, windows_differ=False, geometry=None,
    )  # fmt: skip


def at_all_times(found: SeriesFound, series: Series) -> tuple[Series, ...]:
    """The series that are this one at all its times, in order; the series itself where it has one.

    What differs may also be an inversion time, a flip angle or a repetition.
    """
    same = without_number(series)
    if same is None:
        return (series,)
    return tuple(one for one in found.series if without_number(one) == same)


def time_name(series: Series) -> str:
    """What differs from one time to the next ("time", "flip angle"); empty where nothing does."""
    match = _ONE_OF.fullmatch(series.parts[-1]) if series.parts else None
    return match[1] if match else ""


def pick_at(found: SeriesFound, key: str | None, time: int | None) -> Series:
    """A series by its key, and its time from 0 where it has several.

    Without a time, as `SeriesFound.pick`; with one, the key may be that of any time, or the number
    of the DICOM series, and it may be left out where there is one volume.

    Raises
    ------
    ImageReadError, ParameterError
        There is no such series, or no such time.
    """
    if time is None:
        return found.pick(key)
    found.check()
    volumes = {at_all_times(found, one)[0].key: one for one in found.series}
    chosen = [
        one for first, one in volumes.items()
        if key is None or first.partition(".")[0] == key
        or key in (other.key for other in at_all_times(found, one))
    ]  # fmt: skip
    times = at_all_times(found, chosen[0] if len(chosen) == 1 else found.pick(key))
    if not 0 <= time < len(times):
        held = "one time, 0" if len(times) == 1 else f"{len(times)} times, 0 to {len(times) - 1}"
        raise ParameterError(f"There is no time {time}; the series has {held}.")
    return times[time]
