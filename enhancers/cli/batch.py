"""``enhancers batch``: several methods on a folder of images."""

from __future__ import annotations

import re
import sys
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from enhancers.cli.common import (
    Cropped,
    Device,
    Plane,
    Seed,
    SeriesKey,
    Time,
    WindowText,
    assignments,
    check_folder,
    named_modality,
)
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from typer._click.core import Context

    from enhancers.batch import BatchPlan, Slices, Source, SummaryRow
    from enhancers.batch.plan import Form
    from enhancers.batch.runs import Backend

SHOWN = 10
"""Number of failures that are printed; the summary lists all."""

_ADDRESS = re.compile(r"auto|local|ray://\S+|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+")


class WithAddress(TyperCommand):
    """A command whose option ``--ray`` may be given without a value."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse, with "local" inserted after a ``--ray`` without an address."""
        return super().parse_args(ctx, with_address(args))


def with_address(args: list[str]) -> list[str]:
    """The arguments with "local" after every ``--ray`` that has no address."""
    found = []
    for index, word in enumerate(args):
        found.append(word)
        if word == "--ray" and not _ADDRESS.fullmatch("".join(args[index + 1 : index + 2])):
            found.append("local")
    return found


def batch(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The folder of the images, with its subfolders; or a folder, zip archive or "
            "DICOMDIR of a DICOM series.",
        ),
    ],
    methods: Annotated[str, typer.Option(metavar="A,B", help="The keys of the methods.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the results.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.NAME=VALUE", help="Set a parameter of a method."),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    series: SeriesKey = None,
    slices: Annotated[
        str | None,
        typer.Option(
            "--slice",
            metavar="N|middle|all",
            help="The slices of volumes; by default the one that the page opens with, and the "
            "middle one of a series.",
        ),
    ] = None,
    plane: Plane = STORED,
    time: Time = None,
    cropped: Cropped = False,
    modality: Annotated[
        str | None, typer.Option(help="The modality of all images: CT, MR, US, ...")
    ] = None,
    window: WindowText = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="The format of the results: png (16 bit) or tif (float, in source units; gray "
            "levels from 0 to 1 where the method maps values anew).",
        ),
    ] = "png",
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of masks for DDNM with task=inpaint: for each image a file of the "
            "same relative name, with any ending, not zero where a pixel is missing.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="The number of workers; by default one per device.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Run on the Ray cluster at this address, or on a local one; see "
            "requirements-cluster.txt.",
        ),
    ] = None,
) -> None:
    """Enhance every image in a folder and its subfolders; existing results are kept."""
    from enhancers.batch import BatchPlan, listed, requests
    from enhancers.batch.plan import fingerprint
    from enhancers.batch.store import SUMMARY

    check_folder(out, "--out")
    asked = requests([key.strip() for key in methods.split(",")], assignments(settings or []))
    said = None if modality is None else named_modality(modality)
    plan = BatchPlan(
        folder,
        out,
        asked,
        seed,
        _slices(slices),
        said,
        _form(form),
        masks,
        series,
        window,
        plane,
        time,
        cropped,
    )
    # Report a missing network before thousands of files are read.
    fingerprint(asked)
    from tqdm.auto import tqdm

    with _backend(plan, device, jobs, ray) as backend:
        bar = tqdm(listed(plan), desc="reading", unit="file", file=sys.stderr, leave=False)
        sources = list(bar)
        if not any(source.tasks or source.bad for source in sources):
            raise ReadingRoomError(f"There is no image below {folder}.")
        rows = _run(plan, sources, backend)
    counts = [f"{sum(row.status == s for row in rows)} {s}" for s in {r.status: 0 for r in rows}]
    print(f"{', '.join(counts)}; see {out / SUMMARY}")
    if any(row.status == "failed" for row in rows):
        raise typer.Exit(1)


def _run(plan: BatchPlan, sources: list[Source], backend: Backend) -> list[SummaryRow]:
    """Run with a progress bar, and print the first failures at the end."""
    from tqdm.auto import tqdm

    from enhancers.batch import run

    rows = []
    total = sum(len(source.tasks) or 1 for source in sources)
    with closing(run(plan, sources, backend)) as found, tqdm(
        total=total, unit="result", file=sys.stderr
    ) as bar:  # fmt: skip
        for row in found:
            rows.append(row)
            bar.update()
    failed = [row for row in rows if row.status == "failed"]
    for row in failed[:SHOWN]:
        where = "" if row.slice is None else f", slice {row.slice}"
        how = f", {row.method}" if row.method else ""
        # A file name may hold undecodable bytes or line breaks.
        name = row.file.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
        print(f"failed: {name}{where}{how}: {row.message}", file=sys.stderr)
    if len(failed) > SHOWN:
        print(f"failed: and {len(failed) - SHOWN} more", file=sys.stderr)
    return rows


def _backend(
    plan: BatchPlan, device: str, jobs: int | None, address: str | None
) -> AbstractContextManager[Backend]:
    if address is None:
        from enhancers.batch import LocalBackend

        return nullcontext(LocalBackend(plan, device, jobs))
    from enhancers.batch.cluster import connected

    return connected(plan, address, device, jobs)


def _slices(text: str | None) -> Slices:
    named: dict[str | None, Slices] = {None: "page", "middle": "middle", "all": "all"}
    if text is None or text in named:
        return named[text]
    if not text.isdecimal():
        raise ParameterError(f"--slice {text} is not possible; give a number, middle or all.")
    return int(text)


def _form(text: str) -> Form:
    known: dict[str, Form] = {"png": "png", "tif": "tif"}
    if text not in known:
        raise ParameterError(f"--format {text} is unknown; use png or tif.")
    return known[text]
