"""The image files of a folder and the slices to read of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from enhancers.batch.plan import BatchPlan, BatchTask, ImageSource, SeriesPlace, Slices
from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.image_folders import ENDINGS, same_name
from enhancers.load import Caps, content_digest, probe, read_bytes
from enhancers.load.file_format import sniff
from enhancers.load.pairs import beside
from enhancers.series import LocalSeries, Series, find_series
from enhancers.series.headers import frame_count
from enhancers.series.planes import picked
from enhancers.series.times import volumes
from enhancers.settings import get_settings
from enhancers.voxel_grid import STORED
from enhancers.windows import window_ends, window_limits

# The index of a DICOM medium, a DICOM file without pixels in every folder copied from a CD.
_NEVER = ("DICOMDIR",)


@dataclass(frozen=True)
class Source:
    """A file or a slice of a series: its relative name, and its tasks or why it has none.

    ``bad`` is true for files that should have been images.
    """

    name: str
    image: ImageSource
    tasks: tuple[BatchTask, ...] = ()
    reason: str = ""
    bad: bool = False


def listed(plan: BatchPlan) -> Iterator[Source]:
    """Every file below the plan's folder except hidden ones, results and masks, sorted by name.

    The content decides what is an image. Links to folders are not followed. Of a DICOM series, and
    of the frames of a DICOM file, the slices in the order of their positions.

    Raises
    ------
    ImageReadError, ParameterError
        There is no such series, or no such slice of it.
    """
    limits = Caps.from_settings(get_settings())
    if plan.of_series:
        series, frame = picked(plan.folder, plan.series, plan.time, limits)
        yield from _slices_of_series(plan, series, frame, f"series-{series.key}", limits)
        return
    for path in _files(plan.folder, [plan.out] + ([plan.masks] if plan.masks else [])):
        if _holds_frames(path, limits):
            yield from _volumes_of_file(plan, path, limits)
        else:
            yield _source(plan, path, limits)


def _holds_frames(path: Path, limits: Caps) -> bool:
    """Whether this is a DICOM file of several frames; False where it cannot be opened."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return frame_count(file, limits) > 1
    except OSError:
        return False


def _volumes_of_file(plan: BatchPlan, path: Path, limits: Caps) -> Iterator[Source]:
    """The slices of every volume of a DICOM file of several frames, at one time."""
    name = path.relative_to(plan.folder).as_posix()
    try:
        found = volumes(find_series(path, limits))
        for times in found:
            key = times[0].key
            series, frame = picked(path, key, plan.time, limits)
            place = name if len(found) == 1 else f"{name}/series-{key}"
            yield from _slices_of_series(plan, series, frame, place, limits)
    except (ReadingRoomError, OSError) as error:
        yield Source(name, path, reason=str(error), bad=True)


def _slices_of_series(
    plan: BatchPlan, series: Series, frame: int | None, name: str, limits: Caps
) -> Iterator[Source]:
    """The slices of a series that the plan asks for, or the one that is the time asked for."""
    images = LocalSeries(series, limits)
    count = images.count(plan.plane)
    wanted = "middle" if plan.slices == "page" else plan.slices
    for index in _slices(wanted if frame is None else frame, count, 0):
        place = index or 0
        each = f"{name}/slice-{place:03d}"
        try:
            digest = images.digest(place, plan.plane)
            window, notes = _window(plan, images, place)
        except (ReadingRoomError, OSError) as error:
            yield Source(each, plan.folder, reason=str(error), bad=True)
            continue
        stored = series.slice(place).frame if plan.plane == STORED else None
        where = SeriesPlace(stored, count, window, notes)
        yield Source(each, series, _tasks(plan, limits, digest, [place], place=where))


def _window(
    plan: BatchPlan, images: LocalSeries, index: int
) -> tuple[tuple[float, float], tuple[str, ...]]:
    """The window of a slice: by default that of its series, with sentences about it."""
    if plan.window is None:
        return images.window(plan.modality)
    if (ends := window_ends(plan.window)) is not None:
        return ends, ()
    image = images.image(index, plane=plan.plane)
    if plan.modality is not None:
        image = image.with_modality(plan.modality)
    return window_limits(image, plan.window), ()


def _files(folder: Path, without: list[Path]) -> list[Path]:
    left_out = [one.resolve() for one in without]
    found = []
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = [
            name for name in folders
            if not name.startswith(".") and (here / name).resolve() not in left_out
        ]  # fmt: skip
        found += [here / n for n in names if not n.startswith(".") and n.upper() not in _NEVER]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _source(plan: BatchPlan, path: Path, limits: Caps) -> Source:
    name = path.relative_to(plan.folder).as_posix()
    try:
        _check_format(path, limits)
    except (ImageReadError, OSError) as error:
        reason = error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
        if (header := _header_of(path)) is not None:
            return Source(name, path, reason=f"its values are read with {header.name}")
        looks = path.name.lower().endswith(ENDINGS) or isinstance(error, OSError)
        return Source(name, path, reason=reason, bad=looks)
    try:
        digest = content_digest(path, limits)
        facts = probe(path, limits, plan.plane)
        chosen = _slices(plan.slices, facts.slice_count, facts.default_slice)
        mask = _mask(plan, path, limits)
    except (ReadingRoomError, OSError) as error:
        return Source(name, path, reason=str(error), bad=True)
    return Source(name, path, _tasks(plan, limits, digest, chosen, mask))


def _tasks(
    plan: BatchPlan,
    limits: Caps,
    digest: str,
    chosen: Sequence[int | None],
    mask: bytes = b"",
    place: SeriesPlace | None = None,
) -> tuple[BatchTask, ...]:
    return tuple(
        BatchTask(
            digest=digest,
            slice_index=index,
            method=request.method,
            params=tuple(sorted(request.params.items())),
            seed=plan.seed,
            modality=plan.modality,
            form=plan.form,
            caps=limits,
            mask=mask,
            place=place,
            window=None if place else plan.window,
            plane=plan.plane,
            time=plan.time,
            cropped=plan.cropped,
        )
        for index in chosen
        for request in plan.requests
    )


def _mask(plan: BatchPlan, path: Path, limits: Caps) -> bytes:
    """The bytes of the mask of an image; empty where it has none."""
    if plan.masks is None:
        return b""
    mask = same_name(path.relative_to(plan.folder), plan.masks, "mask")
    return b"" if mask is None else read_bytes(mask, limits)


def _check_format(path: Path, limits: Caps) -> None:
    """Raise ImageReadError unless the first 64 KiB begin an image and its size is allowed."""
    if not path.is_file():
        raise ImageReadError("This is not a regular file.")
    with path.open("rb") as file:
        sniff(file.read(64 * 1024))
    limits.check_bytes(path.stat().st_size)


def _header_of(path: Path) -> Path | None:
    """The header beside a file that holds its values; None for all others."""
    try:
        pair = beside(path)
    except OSError:
        return None
    return None if pair is None or pair[1] != path else pair[0]


def _slices(wanted: Slices, count: int, default: int) -> list[int | None]:
    """Slices to read; None for a file with a single one."""
    if count == 1:
        return [None]
    if wanted == "all":
        return list(range(count))
    if wanted == "middle":
        return [count // 2]
    if wanted == "page":
        return [default]
    if wanted >= count:
        raise ImageReadError(
            f"There is no slice {wanted}; the file has {count} slices, 0 to {count - 1}, "
            "counted from 0."
        )
    return [wanted]
