"""From the frames of many objects to volumes: what has one geometry, contrast and time.

A DICOM series may hold several volumes. Frames are told apart by their geometry and contrast, and,
where positions repeat, by time or whatever else differs from one frame to the next there.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enhancers.series.facts import FrameFacts
from enhancers.series.volume import along_normal, same_position

_COSINES = 2e-3
"""Difference of the cosines of one orientation: headers round them to three digits and more."""
_COMPONENTS = {
    "M": "magnitude", "MAGNITUDE": "magnitude", "P": "phase", "PHASE": "phase",
    "PHASE MAP": "phase", "R": "real", "REAL": "real", "I": "imaginary", "IMAGINARY": "imaginary",
}  # fmt: skip
_KINDS = {
    "DERIVED": "derived", "LOCALIZER": "localizer", "ADC": "ADC map", "FA": "FA map",
    "TRACEW": "trace", "TRACE": "trace", "MPR": "reformatted", "MIP": "maximum projection",
    "MNIP": "minimum projection", "PROJECTION IMAGE": "projection", "WATER": "water", "FAT": "fat",
    "W": "water", "F": "fat", "IP": "in phase", "OP": "opposed phase", "IN_PHASE": "in phase",
    "OPP_PHASE": "opposed phase", "OUT_PHASE": "opposed phase", "T1 MAP": "T1 map",
    "T2 MAP": "T2 map", "T2_STAR MAP": "T2* map", "MOSAIC": "mosaic",
}  # fmt: skip
"""Words of the image type that are shown; the others only tell volumes apart."""
_TIMES = {"trigger time": "time", "acquisition": "time", "dimension": "volume"}


@dataclass(frozen=True)
class Member:
    """A frame of a volume: the number of its file, and its facts."""

    file: int
    facts: FrameFacts


@dataclass(frozen=True)
class Volume:
    """Frames that make one volume, and what tells it from the others of its series."""

    members: tuple[Member, ...]
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def volumes(members: Iterable[Member]) -> list[list[Volume]]:
    """The volumes of every DICOM series, by series number and identifier."""
    by_series: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_series[member.facts.series].append(member)
    ordered = sorted(by_series.items(), key=lambda item: (_number(item[1]), item[0]))
    return [_of_series(found) for _, found in ordered]


def _number(members: Sequence[Member]) -> float:
    return min(
        (one.facts.series_number for one in members if one.facts.series_number is not None),
        default=math.inf,
    )


def _of_series(members: Sequence[Member]) -> list[Volume]:
    groups: dict[Hashable, list[Member]] = defaultdict(list)
    orientations: list[tuple[float, ...]] = []
    for member in members:
        groups[_contrast(member.facts), _shape(member, orientations)].append(member)
    contrasts = {_contrast(group[0].facts) for group in groups.values()}
    differing = [len(set(column)) > 1 for column in zip(*contrasts, strict=True)]
    found = []
    for group in sorted(groups.values(), key=_group_order):
        parts = _words(group[0].facts, differing)
        found += _told_apart(group, parts)
    firsts = [one.members[0].facts for one in found]
    mixed: dict[str, set[Hashable]] = {
        "sizes": {(one.rows, one.columns) for one in firsts},
        "orientations": {_one_orientation(one.orientation, orientations) for one in firsts},
        "pixel spacings": {_rounded(one.spacing) for one in firsts},
        "frames of reference": {one.reference for one in firsts},
    }
    what = [words for words, values in mixed.items() if len(values) > 1]
    if not what:
        return found
    listed = " and ".join([", ".join(what[:-1]), what[-1]] if len(what) > 1 else what)
    note = f"The series has images of different {listed}; each is a volume of its own here."
    return [replace(one, notes=(*one.notes, note)) for one in found]


def _rounded(spacing: tuple[float, float] | None) -> tuple[float, ...]:
    return tuple(float(f"{value:.4g}") for value in spacing or ())


def _one_orientation(
    orientation: tuple[float, ...], known: list[tuple[float, ...]]
) -> tuple[float, ...]:
    """The one of the ``known`` orientations that this is, within rounding; a new one is added."""
    for one in known:
        same_length = len(one) == len(orientation)
        if same_length and all(
            abs(a - b) < _COSINES for a, b in zip(one, orientation, strict=True)
        ):
            return one
    known.append(orientation)
    return orientation


def _shape(member: Member, orientations: list[tuple[float, ...]]) -> Hashable:
    facts = member.facts
    # Frames of an object that state no position, as those of a cine, are a volume of their own.
    alone = facts.alone or (facts.frame is not None and not facts.placed)
    return (
        facts.reference,
        facts.rows,
        facts.columns,
        _one_orientation(facts.orientation, orientations),
        _rounded(facts.spacing),
        facts.position is None,
        member.file if alone else None,
    )


def _contrast(facts: FrameFacts) -> tuple[Hashable, ...]:
    time = None if facts.echo_time is None else round(facts.echo_time, 2)
    return facts.kind, facts.echo, time, facts.b_value, facts.stack


def _words(facts: FrameFacts, differing: Sequence[bool]) -> tuple[str, ...]:
    """What is special about these frames, in words; numbers only where the series has several."""
    _, echoes, times, b_values, stacks = differing
    parts = [
        name
        for table in (_COMPONENTS, _KINDS)
        for word, name in table.items()
        if word in facts.kind
    ]
    if parts[:1] == ["magnitude"] and not differing[0]:
        parts = parts[1:]
    if echoes and facts.echo is not None:
        parts.append(f"echo {facts.echo:g}")
    if times and facts.echo_time is not None:
        parts.append(f"TE {facts.echo_time:.4g} ms")
    if b_values and facts.b_value is not None:
        parts.append(f"b {facts.b_value:g} s/mm²")
    # A longer number may be that of a patient.
    if stacks and facts.stack.isdecimal() and len(facts.stack) < 4:
        parts.append(f"stack {facts.stack}")
    return tuple(dict.fromkeys(parts))


def _group_order(group: Sequence[Member]) -> tuple[float, ...]:
    first = group[0].facts
    known = (first.echo, first.echo_time, first.b_value)
    numbers = [0.0 if value is None else value for value in known]
    instance = min((one.facts.instance_number or 0.0, one.facts.frame or 0) for one in group)
    return (*numbers, *instance, group[0].file)


def _told_apart(group: Sequence[Member], parts: tuple[str, ...]) -> list[Volume]:
    """One volume, or one for each time where positions repeat."""
    if len(group) < 2 or not all(one.facts.placed for one in group):
        return [Volume(tuple(group), parts)]
    places = _places([one.facts for one in group])
    counts = Counter(places.tolist())
    most = max(counts.values())
    if most == 1:
        return [Volume(tuple(group), parts)]
    names = dict.fromkeys(name for one in group for name, _ in one.facts.repeats)
    for name in names:
        if split := _split_by(group, places, most, name):
            return _named(split, parts, _TIMES.get(name, name))
    usual = Counter(counts.values()).most_common(1)[0][0]
    if usual == 1:
        # A few positions are taken twice, and nothing tells why.
        return [Volume(tuple(group), parts)]
    ranked = _ranked(group, places)
    timed = len({_moment(one) for one in group}) > len(set(places.tolist()))
    return _named(ranked, parts, "time" if timed else "repetition")


def _places(frames: Sequence[FrameFacts]) -> NDArray[np.intp]:
    """The number of the position of each frame."""
    positions = along_normal(frames)
    order = np.argsort(positions, kind="stable")
    steps = np.diff(positions[order]) > same_position(positions)
    numbers = np.empty(len(frames), dtype=np.intp)
    numbers[order] = np.concatenate([[0], np.cumsum(steps)])
    return numbers


def _split_by(
    group: Sequence[Member], places: NDArray[np.intp], most: int, name: str
) -> list[list[Member]] | None:
    """The frames by the value of an element, where that leaves one at each position."""
    split: dict[object, list[Member]] = defaultdict(list)
    seen = set()
    for member, place in zip(group, places.tolist(), strict=True):
        value = dict(member.facts.repeats).get(name)
        if value is None or (value, place) in seen:
            return None
        seen.add((value, place))
        split[value].append(member)
    if not 1 < len(split) <= most:
        return None
    return [split[value] for value in sorted(split, key=_sortable)]


def _sortable(value: object) -> tuple[float, ...]:
    if isinstance(value, tuple):
        return tuple(float(one) for one in value)
    assert isinstance(value, int | float)
    return (float(value),)


def _ranked(group: Sequence[Member], places: NDArray[np.intp]) -> list[list[Member]]:
    """The first frame at every position, the second, and so on, by time and number."""
    at: dict[int, list[Member]] = defaultdict(list)
    for member, place in zip(group, places.tolist(), strict=True):
        at[place].append(member)
    found: list[list[Member]] = []
    for members in at.values():
        ordered = sorted(
            members,
            key=lambda one: (
                *_moment(one), one.facts.instance_number or 0.0, one.facts.frame or 0, one.file,
            ),
        )  # fmt: skip
        for rank, member in enumerate(ordered):
            if rank == len(found):
                found.append([])
            found[rank].append(member)
    return found


def _moment(member: Member) -> tuple[float, float]:
    """The time in the heart beat, and of day."""
    trigger = dict(member.facts.repeats).get("trigger time")
    return (float(trigger) if isinstance(trigger, int | float) else 0.0), member.facts.time


def _named(split: Sequence[Sequence[Member]], parts: tuple[str, ...], name: str) -> list[Volume]:
    complete = max(len(members) for members in split)
    found = []
    for number, members in enumerate(split, 1):
        lacking = complete - len(members)
        notes = (
            (f"{lacking} of {complete} slices are missing: other volumes of the series have them.",)
            if lacking
            else ()
        )
        found.append(Volume(tuple(members), (*parts, f"{name} {number} of {len(split)}"), notes))
    return found
