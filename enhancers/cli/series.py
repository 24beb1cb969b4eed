"""``enhancers series``: the DICOM series of a folder, zip archive or DICOMDIR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import AsJson


def series(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="A folder, a zip archive, a DICOMDIR, or files."),
    ],
    as_json: AsJson = False,
) -> None:
    """List the DICOM series in a folder, zip archive, DICOMDIR or files, from their headers."""
    from enhancers.load import Caps
    from enhancers.series import find_series, listing
    from enhancers.settings import get_settings

    found = find_series(sources, Caps.from_settings(get_settings()))
    if as_json:
        print(listing.as_json(found))
        return
    found.check()
    print(listing.as_text(found))
