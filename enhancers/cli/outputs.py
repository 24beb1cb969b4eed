"""Results of the command ``run`` as files: one image, or all slices of a volume."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.cli.common import check_folder, read_windowed, report, settings_caps
from enhancers.cli.slice_source import SliceSource
from enhancers.errors import ParameterError
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from enhancers.compare import Outcome, Request
    from enhancers.compare.all_slices import Target
    from enhancers.image import MedicalImage
    from enhancers.method import Modality


def check_out(source: Path, out: Path, option: str = "--out") -> None:
    """Check, before anything is computed, that a file can be written without loss of the input.

    Parameters
    ----------
    source : Path
        The input: a file, or a folder of series.
    out : Path
    option : str
        That gave ``out``.

    Raises
    ------
    ParameterError
        ``out`` is the input or one of its files, or its folder is not there.
    """
    if not out.parent.is_dir():
        raise ParameterError(
            f"{option} {out}: there is no folder {out.parent}; make it first, or give another."
        )
    if not out.exists():
        return
    inside = source.is_dir() and source.resolve() in out.resolve().parents
    if inside or (source.exists() and out.samefile(source)):
        raise ParameterError(
            f"{option} {out} is the input, which is never replaced; give another name."
        )


def check_file(source: Path, out: Path, option: str = "--out") -> None:
    """As `check_out`, where ``out`` may not be a folder."""
    check_out(source, out, option)
    if out.is_dir():
        raise ParameterError(f"{option} {out} is a folder; give the name of a file.")


def check_outputs(
    source: Path, out: Path, record: Path | None, maps: Path | None, *, folder: bool
) -> None:
    """`check_out` for all that a run writes; ``folder`` where ``out`` may be one."""
    (check_out if folder else check_file)(source, out)
    if record is not None:
        check_file(source, record, "--json")
    if maps is not None:
        check_folder(maps, "--maps")


def as_stored() -> ParameterError:
    """The error of a DICOM result of something else than a slice of the file."""
    return ParameterError(
        "A DICOM result is of a slice as it is stored; use .nii.gz, .nrrd or .mha for --plane and "
        "--crop-to-region."
    )


def checked_kind(out: Path, all_slices: bool, keep_patient: bool, cropped: bool = False) -> str:
    """The format of ``--out``; DICOM for a folder.

    Raises
    ------
    ParameterError
        There is no such format, or not for all slices or cropped ones, or nothing to keep the
        patient in.
    """
    from enhancers.save.result_files import ENDINGS, kind_of

    folder = all_slices and not any(out.name.lower().endswith(one) for one in ENDINGS)
    kind = "dcm" if folder else kind_of(out)
    if all_slices and kind == "png":
        raise ParameterError(
            f"--out {out.name} holds one slice; for all of them use .nii.gz, .nrrd, .mha, .tif, "
            ".dcm or a folder."
        )
    if cropped and kind == "dcm":
        raise as_stored()
    if keep_patient and kind != "dcm":
        raise ParameterError(f"--keep-patient is for DICOM; --out {out.name} holds no patient.")
    return kind


def write_result(
    out: Path,
    kind: str,
    image: MedicalImage,
    outcome: Outcome,
    source: SliceSource | None,
    keep_patient: bool,
) -> None:
    """Write one result.

    Parameters
    ----------
    out, kind
        As for `checked_kind`.
    image : MedicalImage
    outcome : Outcome
    source : SliceSource or None
        For DICOM.
    keep_patient : bool
    """
    from enhancers.files import write_atomic
    from enhancers.save.dicom.targets import Identity, derived_facts
    from enhancers.save.result_files import ResultFacts, encoded

    facts = ResultFacts(image, outcome.record.result_units)
    pixels = outcome.result.pixels
    if source is None:
        write_atomic(out, encoded(kind, facts, pixels))
        return
    shape = pixels.shape[0], pixels.shape[1]
    frame = source.frames()[image.slice_index]
    derived = derived_facts(
        facts, outcome.record, shape, Identity(keep_patient), None if frame is None else [frame]
    )
    head = source.head_of(image.slice_index, derived, shape)
    write_atomic(out, head.data + head.encode(facts.values(pixels), 0) + head.padding)


@dataclass(frozen=True)
class AllSlices:
    """A run of all slices.

    Parameters
    ----------
    out, kind
        As for `checked_kind`.
    request : Request
    seed : int
    device : str
    modality : Modality or None
        That the user chose.
    keep_patient : bool
    window : str or None
        LOW:HIGH or a name, on the middle slice.
    cropped : bool
        Whether every slice is cropped to its ultrasound region.
    """

    out: Path
    kind: str
    request: Request
    seed: int
    device: str
    modality: Modality | None
    keep_patient: bool
    window: str | None = None
    cropped: bool = False

    def run(self, source: SliceSource, record: Path | None) -> None:
        """Run the method on every slice, with progress on standard error.

        Raises
        ------
        ReadingRoomError
        """
        from enhancers import devices
        from enhancers.compare.all_slices import RecordLines, enhance_slices, slices_seconds
        from enhancers.files import write_atomic
        from enhancers.job_queue import about, seconds_text

        target = self._target(source)
        source.describe()
        middle = read_windowed(partial(source.image, None), self.window, self.modality)
        if self.cropped:
            middle = middle.cropped_to_region(required=True)
        window = middle.window.ends
        device = devices.choose(self.device)
        seconds = slices_seconds(middle, source.count, self.request, device)
        if seconds is not None:
            slices = "slice" if source.count == 1 else "slices"
            print(f"{source.count} {slices}, {about(seconds)}.", file=sys.stderr)
        records, noted = RecordLines(), dict[str, list[int]]()
        for warning in middle.warnings:
            print(f"Note: {warning}", file=sys.stderr)
        progress = enhance_slices(
            lambda index: self._image(source, index, window), source.count, self.request, target,
            seed=self.seed, device=self.device,
        )  # fmt: skip
        with closing(progress):
            for event in progress:
                left = event.seconds_left
                rest = "" if left is None else f", {seconds_text(left)} left"
                report(event.fraction, f"{event.note}{rest}" if event.fraction < 1 else event.note)
                if event.outcome is None:
                    continue
                records.add(event.outcome)
                for note in event.outcome.result.notes:
                    noted.setdefault(note, []).append(event.done)
        for note, places in noted.items():
            where = "" if len(places) == source.count else f"{_slices(places)}: "
            print(f"Note: {where}{note}")
        if record is not None:
            write_atomic(record, (records.to_json() + "\n").encode())

    def _image(
        self, source: SliceSource, index: int | None, window: tuple[float, float] | None
    ) -> MedicalImage:
        image = source.image(index, window)
        if self.cropped:
            image = image.cropped_to_region(required=True)
        return image if self.modality is None else image.with_modality(self.modality)

    def _target(self, source: SliceSource) -> Target:
        from enhancers.save.dicom.targets import DicomFrames, DicomObjects, Identity, check_folder
        from enhancers.save.result_files import VolumeTarget

        if self.kind != "dcm":
            return VolumeTarget(self.out, self.kind)
        source.check_dicom()
        identity = Identity(self.keep_patient)
        if source.one_object:
            frames = [frame or 0 for frame in source.frames()]
            return DicomFrames(self.out, frames, source.head_of, identity)
        check_folder(self.out)
        return DicomObjects(self.out, source.frames(), source.head_of, identity)


def _slices(places: Sequence[int], most: int = 10) -> str:
    """Slices by their numbers, from 1."""
    if len(places) == 1:
        return f"Slice {places[0]}"
    rest = f" and {len(places) - most} more" if len(places) > most else ""
    return f"Slices {', '.join(map(str, places[:most]))}{rest}"


def slice_source(
    path: Path, key: str | None, plane: str = STORED, time: int | None = None
) -> SliceSource:
    """The slices that the command was given, within the limits of the settings."""
    return SliceSource(path, key, settings_caps(), plane, time)
