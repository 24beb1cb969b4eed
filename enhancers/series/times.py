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


def volumes(found: SeriesFound) -> list[tuple[Series, ...]]:
    """The volumes that were found, each at all its times."""
    times = {at_all_times(found, one)[0].key: at_all_times(found, one) for one in found.series}
    return list(times.values())


def time_name(series: Series) -> str:
    """What differs from one time to the next ("time", "flip angle"); empty where nothing does."""
    match = _ONE_OF.fullmatch(series.parts[-1]) if series.parts else None
    return match[1] if match else ""


def pick_at(found: SeriesFound, key: str | None, time: int | None) -> Series:
    """A series by its key, and its time from 0 where it has several.

    Without a time, as `SeriesFound.pick`, and the first one where there is one volume at several;
    with one, the key may be that of any time, or the number of the DICOM series, and it may be left
    out where there is one volume.

    Raises
    ------
    ImageReadError, ParameterError
        There is no such series, or no such time.
    """
    picked = _at(found, key, time)
    return replace(picked, notes=(*picked.notes, found.lost)) if found.lost else picked


def _at(found: SeriesFound, key: str | None, time: int | None) -> Series:
    known = volumes(found)
    if time is None:
        return known[0][0] if key is None and len(known) == 1 else found.pick(key)
    found.check()
    chosen = [
        times for times in known
        if key is None or times[0].key.partition(".")[0] == key
        or key in (one.key for one in times)
    ]  # fmt: skip
    times = chosen[0] if len(chosen) == 1 else at_all_times(found, found.pick(key))
    if not 0 <= time < len(times):
        held = "one time, 0" if len(times) == 1 else f"{len(times)} times, 0 to {len(times) - 1}"
        raise ParameterError(f"There is no time {time}; the series has {held}, counted from 0.")
    return times[time]
