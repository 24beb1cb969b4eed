"""The commands for single images: run, degrade, samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhancers.cli.common import (
    Cropped,
    Device,
    Plane,
    Seed,
    SeriesKey,
    SliceText,
    Time,
    WindowText,
    assignments,
    check_folder,
    named_modality,
    read_image,
    report,
)
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from enhancers.compare import Outcome
    from enhancers.image import MedicalImage


def run(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A DICOM file, a volume (NIfTI, MetaImage, NRRD and others), a picture, complex "
            "MR data (.npy, .npz), or a folder, zip archive or DICOMDIR of DICOM series.",
        ),
    ],
    method: Annotated[str, typer.Option(help="The key of the method; list shows all.")],
    out: Annotated[
        Path,
        typer.Option(
            help="The result, in the format of its ending: .png (16 bit, the window); in source "
            "units .tif, .nii, .nii.gz, .nrrd and .mha (float), and .dcm (a derived object). Where "
            "the method maps values anew these hold gray levels from 0 to 1."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set a parameter of the method; list METHOD shows them. The hybrid, pseudo_label, "
            'has presets: preset=published, "preset=from the image", "preset=two-call denoiser".',
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    modality: Annotated[
        str | None,
        typer.Option(help="The modality if the file does not state it: CT, MR, US, XR, ..."),
    ] = None,
    series: SeriesKey = None,
    slice_text: SliceText = None,
    window: WindowText = None,
    all_slices: Annotated[
        bool,
        typer.Option(
            "--all-slices",
            help="Run the method on every slice of the volume, each on its own and all in one "
            "window. --out is one file, or for DICOM a new folder.",
        ),
    ] = False,
    keep_patient: Annotated[
        bool,
        typer.Option(
            "--keep-patient",
            help="For DICOM: keep name, identifier and study of the patient. Without it, only "
            "technical elements of the source are kept.",
        ),
    ] = False,
    plane: Plane = STORED,
    time: Time = None,
    cropped: Cropped = False,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="For DDNM with task=inpaint: an image of the same size, not zero where a pixel is "
            "missing."
        ),
    ] = None,
    degraded: Annotated[
        str | None,
        typer.Option(
            "--degrade",
            metavar="KIND[:LEVEL]",
            help="Degrade the image first, as the command degrade does: ct_dose:0.25. The method "
            "gets what was measured, such as the projections.",
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--json", help="Write the provenance record to this file.")
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            help="Run a diffusion method with so many seeds: the result is their mean, and it says "
            "how far they differ and what that is worth."
        ),
    ] = 1,
    maps: Annotated[
        Path | None,
        typer.Option(
            help="Write the maps of the result to this folder, as float TIFF: where seeds differ, "
            "and what DDNM measured and added."
        ),
    ] = None,
) -> None:
    """Enhance one image, or all slices of a volume."""
    from enhancers.cli.outputs import (
        AllSlices,
        as_stored,
        check_outputs,
        checked_kind,
        slice_source,
        write_result,
    )
    from enhancers.compare import Request, compare

    kind = checked_kind(out, all_slices, keep_patient, cropped)
    check_outputs(source, out, record, maps, folder=all_slices and kind == "dcm")
    request = Request(method, assignments(settings or []), seeds)
    if all_slices:
        _only_with_one_slice(
            ("--slice", slice_text), ("--mask", mask), ("--maps", maps), ("--degrade", degraded),
        )  # fmt: skip
        chosen = None if modality is None else named_modality(modality)
        run_of_all = AllSlices(
            out, kind, request, seed, device, chosen, keep_patient, window, cropped
        )
        run_of_all.run(slice_source(source, series, plane, time), record)
        return
    image = read_image(source, slice_text, modality, mask, series, window, plane, time, cropped)
    if degraded is not None:
        image = _degraded(image, degraded, seed)
    origin = None
    if kind == "dcm":
        if image.plane:
            raise as_stored()
        origin = slice_source(source, series, plane, time)
        origin.check_dicom()
    for event in compare(image, [request], seed=seed, device=device):
        report(event.step.fraction, event.step.note)
        if event.error:
            raise ReadingRoomError(event.error)
        if event.outcome is None:
            continue
        write_result(out, kind, image, event.outcome, origin, keep_patient)
        if record is not None:
            record.write_text(event.outcome.record.to_json() + "\n", encoding="utf-8")
        for figure in event.outcome.result.figures:
            print(f"{figure.label}: {figure.value:.4g} {figure.unit}".rstrip())
        for note in event.outcome.result.notes:
            print(f"Note: {note}")
        if maps is not None:
            _write_maps(maps, image, event.outcome)


def _degraded(image: MedicalImage, text: str, seed: int) -> MedicalImage:
    """The image degraded by KIND or KIND:LEVEL, with the usual level of the kind or another."""
    from enhancers.degrade import KINDS, degrade_image

    kind, colon, level = text.partition(":")
    usual = KINDS[kind].default if kind in KINDS else 0.0
    try:
        strength = float(level) if colon else usual
    except ValueError:
        raise ParameterError(f"--degrade {text} has no number after the colon.") from None
    return degrade_image(image, kind, strength, seed=seed)


def _only_with_one_slice(*given: tuple[str, object]) -> None:
    for name, value in given:
        if value is not None:
            raise ParameterError(f"{name} is for one slice; leave it out, or --all-slices.")


def _write_maps(folder: Path, image: MedicalImage, outcome: Outcome) -> None:
    from enhancers.compare.maps import bundle_maps
    from enhancers.files import write_atomic
    from enhancers.save import to_tiff_map

    found = bundle_maps(image, outcome)
    if not found:
        print(f"{outcome.method} has no maps.")
    for one in found:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / f"{one.name}.tif", to_tiff_map(one))
        print(f"{one.name}.tif ({one.units}): {one.about}")


def degrade(
    source: Annotated[Path, typer.Argument(metavar="INPUT")],
    kind: Annotated[
        str, typer.Option(help="The degradation: gaussian, speckle, rician, ct_dose, ...")
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The result: .png (16 bit) or .tif (float, in source units); for k-space of one "
            "coil also .npz, with the complex samples and their mask."
        ),
    ],
    level: Annotated[
        float | None,
        typer.Option(help="Its strength, in the units of the kind; without it, the usual one."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set a parameter of a simulated scanner: of ct_dose beam, views, photons, "
            "electronic; of mr_undersample centre, lines, coils, snr; of us_snr axial, lateral, "
            "range.",
        ),
    ] = None,
    seed: Seed = 0,
    series: SeriesKey = None,
    slice_text: SliceText = None,
    window: WindowText = None,
    plane: Plane = STORED,
    time: Time = None,
    cropped: Cropped = False,
    mask: Annotated[
        Path | None,
        typer.Option(help="For missing: write the mask of the missing pixels to this PNG."),
    ] = None,
) -> None:
    """Degrade an image, which gives a test image with a known truth."""
    from enhancers.cli.outputs import check_file
    from enhancers.degrade import KINDS, degrade_image
    from enhancers.save import save_png16, to_npz, to_tiff_source

    check_file(source, out)
    if mask is not None:
        check_file(source, mask, "--mask")
    image = read_image(
        source, slice_text, series=series, window=window, plane=plane, time=time, cropped=cropped
    )
    strength = KINDS[kind].default if level is None and kind in KINDS else level or 0.0
    made = degrade_image(image, kind, strength, seed=seed, settings=assignments(settings or []))
    known = made.measured.known if made.measured else None
    spectrum = made.measured.spectrum if made.measured else None
    if mask is not None and known is None:
        raise ParameterError(f"--mask {mask.name} is for the kind missing; leave it out.")
    ending = out.suffix.lower()
    if ending == ".npz":
        if spectrum is None:
            raise ParameterError(
                f"--out {out.name} is for k-space of a gray image and one coil; use .png."
            )
        out.write_bytes(to_npz(spectrum))
    elif ending in (".tif", ".tiff"):
        out.write_bytes(to_tiff_source(made, made.pixels, made.units))
    else:
        save_png16(out, made.pixels, made.aspect)
    if mask is not None and known is not None:
        save_png16(mask, (~known).astype("float32"))


def samples(out: Annotated[Path, typer.Option(help="The folder to write to.")]) -> None:
    """Write the synthetic sample images with their true images."""
    from enhancers.samples import write_samples

    check_folder(out, "--out")
    for path in write_samples(out):
        print(path)
