"""Shared by the commands: options, reading an image, ``name=value`` pairs, progress."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.files import system_error
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from enhancers.image import MedicalImage
    from enhancers.load import Caps
    from enhancers.method import Modality
    from enhancers.metrics.files import Reader

MIDDLE = "middle"
"""What ``--slice`` takes for the middle slice."""

Seed = Annotated[int, typer.Option(min=0, help="The seed of all random numbers.")]
Device = Annotated[str, typer.Option(help="The device: auto, cpu, cuda, cuda:1 or mps.")]
SeriesKey = Annotated[
    str | None,
    typer.Option(
        "--series",
        metavar="KEY",
        help="The series of a folder, zip archive or DICOMDIR; the command series lists them. Not "
        "needed where there is only one.",
    ),
]
SliceText = Annotated[
    str | None,
    typer.Option(
        "--slice",
        metavar="N|middle",
        help="The index of a slice of a volume; of a series in the order of positions.",
    ),
]
WindowText = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="LOW:HIGH|NAME",
        help="The window in source units, such as -1000:400 (--window=-1000:400); or the name of "
        "one that the file states, or for CT soft-tissue, lung, bone, brain or liver; each-slice "
        "is the own one of a slice where they differ. Without it, that of the file or the default.",
    ),
]
Plane = Annotated[
    str,
    typer.Option(
        metavar="axial|coronal|sagittal|stored",
        help="The plane of a volume; by default its slices as they are stored.",
    ),
]
Time = Annotated[
    int | None,
    typer.Option(min=0, help="Which time of a volume, or frame of a clip, from 0."),
]
Cropped = Annotated[
    bool,
    typer.Option(
        "--crop-to-region",
        help="Crop an ultrasound image to the region that its file states.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the output as JSON.")]


def run_app(app: typer.Typer, errors: tuple[type[Exception], ...] = (ReadingRoomError,)) -> int:
    """Run the command that the arguments of the process name, and return its exit status.

    Errors of the user (``errors``, and those of the operating system) are one line on standard
    error and status 2.
    """
    try:
        status = app(standalone_mode=False)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, (*errors, OSError)):
            return _refused(system_error(error) if isinstance(error, OSError) else error)
        # Typer has its own copy of click, so a usage error is recognised by two attributes.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _refused(error.format_message())
        raise
    return status if isinstance(status, int) else 0


def _refused(why: object) -> int:
    print(f"error: {' '.join(str(why).split())}", file=sys.stderr)
    return 2


def warn(image: MedicalImage | None) -> None:
    """Print the warnings of an image on standard error."""
    for warning in image.warnings if image else ():
        print(f"Note: {warning}", file=sys.stderr)


def read_image(
    path: Path,
    slice_text: str | None = None,
    modality: str | None = None,
    mask: Path | None = None,
    series: str | None = None,
    window: str | None = None,
    plane: str = STORED,
    time: int | None = None,
    cropped: bool = False,
) -> MedicalImage:
    """Read an image within the limits of the settings; its warnings go to stderr.

    ``path`` is a file, or a folder, zip archive or DICOMDIR of DICOM series; ``slice_text`` a
    number or "middle", in the sorted order of a series, or in a ``plane``. ``mask`` is a file that
    marks missing pixels. ``window`` is LOW:HIGH or a name.
    """
    caps = settings_caps()
    chosen = None if modality is None else named_modality(modality)
    reader = image_reader(path, series, slice_text, plane, time)
    image = read_windowed(reader, window, chosen)
    if image.slice_count > 1:
        shown = f"{image.plane} slice" if image.plane else "slice"
        place = f"{image.slice_index + 1} of {image.slice_count} (--slice {image.slice_index})"
        print(f"Note: This is {shown} {place}.", file=sys.stderr)
    if image.time_count > 1:
        place = f"{image.time_index + 1} of {image.time_count} (--time {image.time_index})"
        print(f"Note: This is time {place}.", file=sys.stderr)
    if cropped:
        image = image.cropped_to_region(required=True)
    if mask is not None:
        from enhancers.load.mask import read_mask
        from enhancers.series.planes import load_plane

        image = image.with_known(read_mask(partial(load_plane, mask, caps=caps), image))
    warn(image)
    return image


def image_reader(
    path: Path,
    series: str | None,
    slice_text: str | None = None,
    plane: str = STORED,
    time: int | None = None,
) -> Reader:
    """Reads a slice of a file, or of a series, which is described on standard error.

    Parameters
    ----------
    path, series, slice_text, plane, time
        As for `read_image`; ``slice_text`` is read where no other slice is asked for.
    """
    from enhancers.load import probe
    from enhancers.series import LocalSeries, is_collection
    from enhancers.series.planes import load_plane, picked

    caps = settings_caps()
    index = slice_number(slice_text)
    if series is not None or is_collection(path):
        found, frame = picked(path, series, time, caps)
        for note in (f"Series {found.key}: {found.description}.", *found.notes):
            print(f"Note: {note}", file=sys.stderr)
        read: Reader = partial(LocalSeries(found, caps).image, plane=plane)
        index = index if frame is None else frame
    else:
        if slice_text == MIDDLE and plane == STORED:
            index = probe(path, caps).slice_count // 2
        read = partial(load_plane, path, caps=caps, plane=plane, time=time)
    return read if index is None else partial(read, slice_index=index)


def read_windowed(
    read: Reader, window: str | None, modality: Modality | None = None
) -> MedicalImage:
    """An image in a window given as LOW:HIGH or by name; a name is one for its modality."""
    from enhancers.windows import window_ends, window_limits

    ends = None if window is None else window_ends(window)
    image = read(window=ends)
    if modality is not None:
        image = image.with_modality(modality)
    if window is None or ends is not None:
        return image
    image = read(window=window_limits(image, window))
    return image if modality is None else image.with_modality(modality)


def settings_caps() -> Caps:
    """The limits of the settings."""
    from enhancers.load import Caps
    from enhancers.settings import get_settings

    return Caps.from_settings(get_settings())


def check_folder(folder: Path, option: str) -> None:
    """Raise ParameterError, before anything is computed, where this cannot be a folder of results.

    It need not exist; the nearest folder above it that does has to be writable.
    """
    found = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not found.is_dir():
        raise ParameterError(f"{option} {folder}: {found} is a file; give a folder, or a new name.")
    if not os.access(found, os.W_OK | os.X_OK):
        raise ParameterError(
            f"{option} {folder}: nothing may be written to {found}; check its permissions, or give "
            "another folder."
        )


def slice_number(text: str | None) -> int | None:
    """The index that ``--slice`` gives; None where it gives none, or the middle."""
    if text is None or text == MIDDLE:
        return None
    if not text.isdecimal():
        raise ParameterError(f"--slice {text} is not possible; give a number or {MIDDLE}.")
    return int(text)


def named_modality(text: str) -> Modality:
    """The modality with the name given to ``--modality``."""
    from enhancers.method import Modality

    known = {entry.value: entry for entry in Modality}
    if text.upper() not in known:
        raise ParameterError(f"--modality {text} is unknown; use one of {', '.join(known)}.")
    return known[text.upper()]


def assignments(pairs: list[str]) -> dict[str, Any]:
    """Parse ``name=value`` pairs."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"--set {pair} is not name=value.")
        values[name.strip()] = value.strip()
    return values


def report(fraction: float, note: str) -> None:
    """Print a line of progress if standard error is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if fraction >= 1 else ""
        print(f"\r{fraction:5.0%} {note:50.50}", end=end, file=sys.stderr, flush=True)
