"""``enhancers metrics``: measure an image, list the metrics, fetch their files, fit own ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from enhancers.cli.common import (
    MIDDLE,
    AsJson,
    Cropped,
    Plane,
    SeriesKey,
    SliceText,
    Time,
    WindowText,
    image_reader,
    settings_caps,
    slice_number,
    warn,
)
from enhancers.cli.progress import bytes_bar, confirmed
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image_folders import same_name
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from typer._click.core import Context

    from enhancers.image import MedicalImage
    from enhancers.metrics import Score
    from enhancers.metrics.files import Reader

MEASURE = "measure"

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


class WithMeasure(TyperGroup):
    """A group in which ``metrics A`` stands for ``metrics measure A``."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse, with the name of the command inserted where there is none."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [MEASURE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=WithMeasure,
    help="Measure the quality of an image (metrics A is metrics measure A), and get the files that "
    "some metrics need.",
)  # fmt: skip


@app.command(MEASURE)
def measure(
    image: Annotated[Path, typer.Argument(metavar="A")],
    reference: Annotated[
        Path | None,
        typer.Option(
            help="The true image to compare with; of a series, a folder, archive or DICOMDIR with "
            "one series."
        ),
    ] = None,
    series: SeriesKey = None,
    slice_text: SliceText = None,
    window: WindowText = None,
    plane: Plane = STORED,
    time: Time = None,
    cropped: Cropped = False,
    as_json: AsJson = False,
) -> None:
    """Measure the quality of an image, with full-reference metrics if a reference is given."""
    from enhancers.metrics.files import as_json as plain

    scores = _scores(image, reference, _Place(series, slice_text, window, plane, time, cropped))
    if as_json:
        print(json.dumps({"metrics": plain(scores)}, indent=2, ensure_ascii=False))
        return
    for found in scores:
        print(f"{found.metric.label:14}{found.metric.arrow:1} {found.text}")


@app.command("pairs")
def pairs(
    images: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of the images, with its subfolders.")
    ],
    references: Annotated[
        Path,
        typer.Argument(
            metavar="REFERENCES",
            help="The folder of the true images: for each image a file of the same relative name, "
            "with any ending.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="The file of the table; by default it is printed."),
    ] = None,
    slice_text: SliceText = None,
    window: WindowText = None,
    plane: Plane = STORED,
    time: Time = None,
    cropped: Cropped = False,
    as_json: AsJson = False,
) -> None:
    """Measure every image of a folder against the one of its name in another, as one CSV table."""
    from tqdm.auto import tqdm

    from enhancers.cli.outputs import check_file
    from enhancers.files import write_atomic
    from enhancers.metrics.pairs import PairScores, as_csv
    from enhancers.series.discover import below

    for folder in (images, references):
        if not folder.is_dir():
            raise ParameterError(f"{folder} is not a folder; give a folder of images.")
    if out is not None:
        check_file(images, out)
    place = _Place(None, slice_text, window, plane, time, cropped)
    rows = []
    for path in tqdm(below(images), unit="image", file=sys.stderr, leave=False):
        name, truth = path.relative_to(images), None
        try:
            truth = same_name(name, references, "reference")
            if truth is None:
                raise ParameterError(f"There is no file of this name in {references}.")
            row = PairScores(str(name), truth.name, _scores(path, truth, place))
        except ReadingRoomError as error:
            row = PairScores(str(name), truth.name if truth else "", error=str(error))
        rows.append(row)
    if not rows:
        raise ParameterError(f"There is no file below {images}; give a folder of images.")
    table = as_csv(rows)
    if as_json:
        listed = [row.as_json() for row in rows]
        table = json.dumps({"pairs": listed}, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        print(table, end="")
    else:
        write_atomic(out, table.encode())
    failed = sum(bool(row.error) for row in rows)
    if failed:
        print(f"{failed} of {len(rows)} images were not measured.", file=sys.stderr)
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Place:
    """Which slice of the files is measured, and through which window."""

    series: str | None
    slice_text: str | None
    window: str | None
    plane: str
    time: int | None
    cropped: bool


def _scores(image: Path, reference: Path | None, at: _Place) -> Sequence[Score]:
    """The scores of an image; notes about the files go to standard error."""
    from enhancers.metrics import score
    from enhancers.metrics.files import read_pair
    from enhancers.windows import window_limits

    read = image_reader(image, at.series, None, at.plane, at.time)
    read_truth = None
    if reference is not None:
        same = (at.plane, at.time) if _is_volume(reference) else (STORED, None)
        read_truth = image_reader(reference, None, None, *same)
    if at.cropped:
        read, read_truth = _cropping(read, read_truth)
    index = slice_number(at.slice_text)
    if at.slice_text == MIDDLE:
        index = read().slice_count // 2
    ends = None if at.window is None else window_limits(read(slice_index=index), at.window)
    measured, truth = read_pair(read, read_truth, slice_index=index, window=ends)
    for each in (measured, truth):
        warn(each)
    return score(measured.pixels, reference=truth.pixels if truth else None)


def _cropping(read: Reader, read_truth: Reader | None) -> tuple[Reader, Reader | None]:
    """Readers of what is in the image's ultrasound region; a truth of its size has the same one."""
    whole = read()
    region, size = whole.region, whole.shape

    def image(
        *, slice_index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        found = read(slice_index=slice_index, window=window)
        return found.cropped_to_region(required=True)

    def truth(
        *, slice_index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        assert read_truth is not None
        found = read_truth(slice_index=slice_index, window=window)
        same = found.region is None and found.shape == size
        return (replace(found, region=region) if same else found).cropped_to_region()

    return image, None if read_truth is None else truth


def _is_volume(path: Path) -> bool:
    """Whether a path holds more than one picture, so that it has planes and times."""
    from enhancers.load import probe
    from enhancers.series import is_collection

    return is_collection(path) or probe(path, settings_caps()).slice_count > 1


@app.command("list")
def list_metrics() -> None:
    """List the metrics with what they need, and whether it is here."""
    from enhancers.metrics import METRICS, available

    needs = {
        "full": "needs a reference", "input": "needs the image before enhancement", "none": ""
    }  # fmt: skip
    width = max(len(metric.key) for metric in METRICS) + 2
    for metric in METRICS:
        lacking = available(metric.key) or needs[metric.reference]
        print(f"{metric.key:{width}}{metric.label:15}{lacking}".rstrip())


@app.command("fetch")
def fetch_file(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of the metric: niqe, ...")],
    yes: Yes = False,
) -> None:
    """Download the file of a metric, checked by what its server states about it."""
    from enhancers.cli.metric_files import fetch, offered, published_file
    from enhancers.metrics import available, get
    from enhancers.metrics.pyiqa_metrics import file_path
    from enhancers.networks.digests import sha256_of
    from enhancers.networks.entry import bytes_text

    metric = get(key)
    file = published_file(metric)
    path = file_path(file)
    if not available(key):
        print(f"{metric.label} is here already: {path}, SHA-256 {sha256_of(path)}")
        return
    offer = offered(file)
    print(f"{file.name}: {bytes_text(offer.size)} from {offer.address}")
    print(f"{offer.digest.label}: {offer.digest.value}")
    print(f"Licence: {file.licence}")
    if not yes and not confirmed("Download it?", f"give --yes to download {file.name}"):
        print("Nothing was downloaded.")
        return
    bytes_bar(fetch(file, offer))
    print(f"{metric.label} is here: {path}, SHA-256 {sha256_of(path)}")


@app.command("fit")
def fit_niqe(
    data: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder of clean images: files, or .npz archives."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.mat", help="The file of parameters.")],
) -> None:
    """Fit the parameters of NIQE to clean images; subjects held out from training are left out."""
    from enhancers.metrics.niqe_model import fit_folder, write

    if out.suffix.lower() != ".mat":
        raise ParameterError(f"--out {out.name} has another ending; use .mat.")
    model = fit_folder(data)
    write(model, out)
    for group, (images, subjects) in model.material.items():
        print(f"{group}: {images} images of {subjects} subjects")
    print(f"{out}: from {model.blocks} blocks of {model.images} images")
