"""Shared by the commands: options, reading an image, ``name=value`` pairs, progress."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhancers.errors import ParameterError, ReadingRoomError

if TYPE_CHECKING:
    from enhancers.image import MedicalImage
    from enhancers.method import Modality

Seed = Annotated[int, typer.Option(min=0, help="The seed of all random numbers.")]
Device = Annotated[str, typer.Option(help="The device: auto, cpu, cuda, cuda:1 or mps.")]
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
            return _refused(error)
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
    slice_index: int | None = None,
    modality: str | None = None,
    mask: Path | None = None,
) -> MedicalImage:
    """Read an image within the limits of the settings; its warnings go to stderr.

    ``mask`` is a file that marks missing pixels.
    """
    from enhancers.load import Caps, load
    from enhancers.settings import get_settings

    caps = Caps.from_settings(get_settings())
    image = load(path, slice_index=slice_index, caps=caps)
    if mask is not None:
        from enhancers.load.mask import with_mask

        image = with_mask(image, mask, caps)
    if modality is not None:
        image = image.with_modality(named_modality(modality))
    warn(image)
    return image


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
