"""The commands of ``python -m enhancers --help``.

Errors are one line on standard error and exit status 2. Heavy imports happen inside the commands,
so that listing the methods is instant.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhancers.errors import ParameterError, ReadingRoomError

if TYPE_CHECKING:
    from enhancers.image import MedicalImage

app = typer.Typer(
    name="enhancers", help="Enhance medical images, measure, degrade, and train the priors.",
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
)  # fmt: skip
priors_app = typer.Typer(help="The networks of the diffusion methods.", no_args_is_help=True)
bench_app = typer.Typer(help="The commands behind the figures.", no_args_is_help=True)
app.add_typer(priors_app, name="priors")
app.add_typer(bench_app, name="bench")

Seed = Annotated[int, typer.Option(min=0, help="All randomness comes from it.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Which(StrEnum):
    """Which prior to train."""

    PIXEL = "pixel"
    LATENT = "latent"


@app.command("list")
def list_methods(as_json: AsJson = False) -> None:
    """List the methods."""
    from enhancers import listing

    print(listing.as_json() if as_json else listing.as_text())


@app.command()
def run(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="DICOM, NIfTI, PNG, TIFF, JPEG.")],
    method: Annotated[str, typer.Option(help="Key of the method.")],
    out: Annotated[Path, typer.Option(help=".png (16 bit) or .tif (float, source units).")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    modality: Annotated[str | None, typer.Option(help="CT, MR, US, XR, ...")] = None,
    slice_index: Annotated[int | None, typer.Option("--slice", help="Of a volume.")] = None,
    record: Annotated[Path | None, typer.Option("--json", help="Provenance record.")] = None,
) -> None:
    """Enhance one image."""
    from enhancers.compare import Request, compare
    from enhancers.save import save_png16, to_tiff_source

    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise ParameterError(f"--out {out.name} has no known ending; use .png or .tif.")
    image = _load(source, slice_index, modality)
    request = Request(method, _assignments(settings or []))
    for event in compare(image, [request], seed=seed, device=device):
        _report(event.step.fraction, event.step.note)
        if event.error:
            raise ReadingRoomError(event.error)
        if event.outcome is None:
            continue
        pixels = event.outcome.result.pixels
        if out.suffix.lower() == ".png":
            save_png16(out, pixels)
        else:
            out.write_bytes(to_tiff_source(image, pixels))
        if record is not None:
            record.write_text(event.outcome.record.to_json() + "\n", encoding="utf-8")
        for figure in event.outcome.result.figures:
            print(f"{figure.label}: {figure.value:.4g} {figure.unit}".rstrip())


@app.command()
def metrics(
    image: Annotated[Path, typer.Argument(metavar="A")],
    reference: Annotated[Path | None, typer.Option(help="The truth.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure an image, against a reference if there is one."""
    from enhancers import metrics as room

    first = _load(image)
    second = None
    if reference is not None:
        second = _load(reference)
        first, second = _same_window((image, first), (reference, second))
    scores = room.score(first.pixels, reference=second.pixels if second else None)
    if as_json:
        found = {
            score.key: {
                "value": score.plain_value(),
                "direction": score.metric.direction,
                "implementation": score.metric.implementation,
                "data_range": score.metric.data_range,
                "reason": score.reason,
            }
            for score in scores
        }
        print(json.dumps({"metrics": found}, indent=2, ensure_ascii=False))
        return
    for score in scores:
        print(f"{score.metric.label:12}{score.metric.arrow} {score.text}")


@app.command()
def degrade(
    source: Annotated[Path, typer.Argument(metavar="INPUT")],
    kind: Annotated[str, typer.Option(help="gaussian, speckle, rician, low_dose, ...")],
    level: Annotated[float, typer.Option(help="In the kind's own units.")],
    out: Annotated[Path, typer.Option(help="A 16-bit PNG.")],
    seed: Seed = 0,
) -> None:
    """Degrade an image, to have one with a known truth."""
    from enhancers.degrade import degrade as degraded
    from enhancers.save import save_png16

    save_png16(out, degraded(_load(source).pixels, kind, level, seed=seed))


@app.command()
def samples(out: Annotated[Path, typer.Option(help="A folder.")]) -> None:
    """Write the synthetic samples with their truths."""
    from enhancers.samples import write_samples

    for path in write_samples(out):
        print(path)


@priors_app.command("list")
def list_priors(as_json: AsJson = False) -> None:
    """List the priors and whether they are here."""
    from enhancers.priors.catalog import PRIORS

    if as_json:
        facts = [
            {"key": p.key, "label": p.label, "present": p.present, "megabytes": p.megabytes,
             "licence": p.licence}
            for p in PRIORS
        ]  # fmt: skip
        print(json.dumps({"priors": facts}, indent=2))
        return
    for prior in PRIORS:
        state = f"present, {prior.megabytes:.1f} MB" if prior.present else "not here"
        print(f"{prior.key:10}{state:20}{prior.summary}")


@priors_app.command()
def train(
    which: Annotated[Which, typer.Option(help="pixel or latent.")],
    data: Annotated[Path | None, typer.Option(help="Images; phantoms alone without it.")] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Folder; default .runs/WHICH.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint.")] = False,
    start: Annotated[
        Path | None, typer.Option(help="Train the prior in this folder further.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a prior; copy its folder to assets/priors to use it."""
    from enhancers import devices
    from enhancers.priors.corpus import read_corpus
    from enhancers.priors.train import train_latent, train_pixel

    folder = out or Path(".runs") / which
    trainer = train_pixel if which is Which.PIXEL else train_latent
    corpus = read_corpus(data)
    reports = trainer(
        corpus, minutes, folder, devices.choose(device), seed=seed, resume=resume, start=start
    )  # fmt: skip
    for report in reports:
        print(f"{report.stage}: {report.steps} steps, {report.minutes:.1f} min, "
              f"loss {report.loss:.4f}")  # fmt: skip
        for name, value in report.validation.items():
            print(f"  {name}: {value:g}")


@bench_app.command("floors")
def bench_floors(
    data: Annotated[Path | None, typer.Option(help="Folder of .npz; phantoms without it.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Of each modality.")] = 8,
    only: Annotated[list[str] | None, typer.Option(help="autoencoder, hybrid, ...")] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
) -> None:
    """Measure the floors of the embedded priors; exit status 1 where one is missed."""
    from tqdm.auto import tqdm

    from enhancers import bench, devices

    chosen = tuple(only or bench.STAGES)
    unknown = [name for name in chosen if name not in bench.STAGES]
    if unknown:
        raise ParameterError(f"--only {unknown[0]} is unknown; use {', '.join(bench.STAGES)}.")
    cases = bench.validation_cases(data, images)
    with tqdm(unit="image", file=sys.stderr) as bar:

        def tick(stage: str) -> None:
            bar.set_description(stage, refresh=False)
            bar.update()

        found = list(bench.floors(cases, devices.choose(device), chosen, tick))
    text = bench.as_markdown(found, len(cases))
    print(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if not all(floor.met for _, _, floors in found for floor in floors):
        raise typer.Exit(1)


def _load(path: Path, slice_index: int | None = None, modality: str | None = None) -> MedicalImage:
    from enhancers.load import Caps, load
    from enhancers.method import Modality
    from enhancers.settings import get_settings

    settings = get_settings()
    caps = Caps(max_bytes=settings.max_file_bytes, max_pixels=settings.max_pixels)
    image = load(path, slice_index=slice_index, caps=caps)
    for warning in image.warnings:
        print(f"Note: {warning}", file=sys.stderr)
    if modality is None:
        return image
    known = {entry.value: entry for entry in Modality}
    if modality.upper() not in known:
        raise ParameterError(f"--modality {modality} is unknown; use one of {', '.join(known)}.")
    return image.with_modality(known[modality.upper()])


def _same_window(
    first: tuple[Path, MedicalImage], second: tuple[Path, MedicalImage]
) -> tuple[MedicalImage, MedicalImage]:
    """Both images in the wider of their windows, where they count in the same units."""
    from enhancers.load import load

    a, b = first[1], second[1]
    if a.window == b.window or a.units != b.units or (a.bits <= 8) != (b.bits <= 8):
        return a, b
    shared = (min(a.window.low, b.window.low), max(a.window.high, b.window.high))
    return load(first[0], window=shared), load(second[0], window=shared)


def _assignments(pairs: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"--set {pair} is not name=value.")
        values[name.strip()] = value.strip()
    return values


def _report(fraction: float, note: str) -> None:
    if sys.stderr.isatty():
        end = "\n" if fraction >= 1 else ""
        print(f"\r{fraction:5.0%} {note:50.50}", end=end, file=sys.stderr, flush=True)


def main() -> int:
    """Run a command; every error a user can mend is one line and status 2."""
    try:
        status = app(standalone_mode=False)
    except (ReadingRoomError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Typer carries its own copy of click: a usage error is known by its two attributes.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            print(f"error: {' '.join(error.format_message().split())}", file=sys.stderr)
            return 2
        raise
    return status if isinstance(status, int) else 0
