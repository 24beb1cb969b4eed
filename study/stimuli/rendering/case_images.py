"""The files of a case, read with one common window."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from enhancers.decoding import OpenedFile
from enhancers.display import presets_for, window_levels
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.load import Caps, coded_values, load, read_bytes
from enhancers.load.mask import read_mask
from enhancers.measured import Known
from enhancers.method import Modality
from enhancers.voxel_grid import STORED
from study.domain.errors import BuildError
from study.domain.recipes import ImageSource, SourceMethod
from study.stimuli import checks, deidentification
from study.stimuli.buffers import FINEST, quantised
from study.stimuli.gray_grid import GrayGrid, common_grid
from study.stimuli.image_similarity import ComparedImage
from study.stimuli.source_folders import SourceCase
from study.stimuli.sources import Sources


@dataclass(frozen=True, eq=False)
class CaseImages:
    """A case with its images in memory.

    Parameters
    ----------
    case : SourceCase
    files : mapping
        The file of each method; methods may share a file.
    images : mapping
        The image of each file, all with the same window.
    lead : MedicalImage
        The image that defines window, presets and spacing.
    grid : GrayGrid, optional
        The gray levels of all stimuli; None as in studies that an earlier version built.
    headers : mapping
        Of each DICOM file, `deidentification.ELEMENTS`.
    known : mapping
        Of methods that fill in missing pixels, the mask of those that are known.
    """

    case: SourceCase
    files: Mapping[SourceMethod, Path]
    images: Mapping[Path, MedicalImage]
    lead: MedicalImage
    grid: GrayGrid | None
    headers: Mapping[Path, Mapping[str, str]]
    known: Mapping[SourceMethod, Known] = field(default_factory=dict)

    def image(self, method: SourceMethod) -> MedicalImage:
        """The image that a method is applied to."""
        image = self.images[self.files[method]]
        return image.with_known(self.known[method]) if method in self.known else image

    def rounded(self, pixels: Pixels) -> Pixels:
        """An image of the case at the gray levels that all of its stimuli have."""
        if self.grid is not None:
            return self.grid.rounded(pixels, self.lead.window)
        return quantised(pixels, self._levels_of_old())

    def level_facts(self) -> object:
        """What defines the gray levels, as values for JSON."""
        if self.grid is None:
            return self._levels_of_old()
        return [self.grid.origin, self.grid.step, self.grid.unused.tolist()]

    def _levels_of_old(self) -> int:
        """Largest gray level in studies that an earlier version built."""
        window = self.lead.window
        if min(image.bits for image in self.images.values()) > 8:
            return FINEST
        return max(2, min(round(window.width), FINEST))

    def window_json(self) -> str:
        """Window, gray levels, units, presets and spacing of the case for the page, as JSON."""
        lead = self.lead
        presets = presets_for(lead.modality, lead.window, lead.units, lead.pixels)
        shown = {
            "window": [lead.window.low, lead.window.high],
            "grid": [self.grid.origin, self.grid.step] if self.grid else None,
            "left_out": len(self.grid.unused) if self.grid else 0,
            "units": lead.units,
            "presets": [
                {"label": one.label, "levels": list(window_levels(one.low, one.high, lead.window))}
                for one in presets
            ],
            "spacing": [float(mm) for mm in lead.spacing] if lead.spacing else None,
        }
        return json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class _LocalFile:
    """A file that somebody named who can start programs here; read in this process."""

    path: Path
    caps: Caps

    def image(
        self, slice_index: int | None = None, window: tuple[float, float] | None = None,
        plane: str = STORED, time: int = 0,
    ) -> MedicalImage:  # fmt: skip
        return load(
            self.path, slice_index=slice_index, window=window, caps=self.caps, plane=plane,
            time=time,
        )  # fmt: skip

    def coded_values(self, names: Sequence[str]) -> dict[str, str]:
        return coded_values(read_bytes(self.path, self.caps), names, self.caps)


def read_case(
    sources: Sources,
    case: SourceCase,
    caps: Caps,
    *,
    with_grid: bool = True,
    isolated: bool = False,
) -> CaseImages:
    """Read every file of a case once, with a common window and, unless it is an old one, grid.

    It is the window of the reference if there is one, else of the image that methods are run on, or
    of the unenhanced image. For ready-made images without these it is the union of all windows.
    ``isolated`` files are decoded in worker processes.

    Raises
    ------
    BuildError
        A file cannot be read; the error names case, method and file.
    """
    files = dict(zip(sources.methods, case.files, strict=True))
    made = next((m for m in files if m.source is not ImageSource.FILE), None)
    original = leading = sources.reference or made or sources.original
    images: dict[Path, MedicalImage] = {}
    headers: dict[Path, Mapping[str, str]] = {}
    opened: dict[Path, _LocalFile | OpenedFile] = {}

    def read(method: SourceMethod, window: Window | None = None) -> MedicalImage:
        path = files[method]
        with _named(case, method, path):
            if path not in opened:
                opened[path] = (OpenedFile.local if isolated else _LocalFile)(path, caps)
            ends = None if window is None else window.ends
            image = opened[path].image(case.slice_index, ends)
            if image.format == "DICOM" and path not in headers:
                headers[path] = opened[path].coded_values(deidentification.ELEMENTS)
        return _with_modality(image, sources)

    if leading is not None:
        images[files[leading]] = read(leading)
        window = images[files[leading]].window
    else:
        leading = sources.methods[0]
        windows = [read(method).window for method in files]
        ends = [window.ends for window in windows]
        window = Window(min(low for low, _ in ends), max(high for _, high in ends))
    for method, file in files.items():
        if file not in images:
            images[file] = read(method, window)
    grid = None
    if with_grid:
        place = None if original is None else [*images].index(files[original])
        grid = common_grid([image.source for image in images.values()], window, place)
    known = {}
    for method, mask in zip(sources.methods, case.masks, strict=False):
        if mask is not None:
            with _named(case, method, mask):
                drawn = (OpenedFile.local if isolated else _LocalFile)(mask, caps)
                known[method] = read_mask(drawn.image, images[files[method]])
    return CaseImages(case, files, images, images[files[leading]], grid, headers, known)


def check_files(inputs: CaseImages, *, attested: bool) -> tuple[str, ...]:
    """Checks that need no rendering: text in the pixels, size, depth.

    Parameters
    ----------
    inputs : CaseImages
    attested : bool
        Whether a person attests that the pixels show no name.

    Returns
    -------
    tuple of str
        Notes for the coordinator, warnings of the loader included.

    Raises
    ------
    BuildError
    """
    notes = [text for image in inputs.images.values() for text in image.warnings]
    if len({image.format == "JPEG" for image in inputs.images.values()}) > 1:
        notes.append("Some images are JPEG and some are not: its blocks may betray a method.")
    first = {file: method for method, file in reversed(list(inputs.files.items()))}
    for file, method in first.items():
        if inputs.images[file].format == "DICOM":
            facts = deidentification.declared(inputs.headers[file])
            notes += deidentification.check(inputs.case.name, method.name, facts, attested=attested)
    checks.check_alike(
        inputs.case.name,
        [
            ComparedImage(method.name, inputs.image(method).pixels, inputs.image(method).bits)
            for method in inputs.files
        ],
    )
    return tuple(dict.fromkeys(notes))


@contextmanager
def _named(case: SourceCase, method: SourceMethod, file: Path) -> Iterator[None]:
    """Let errors name case, method and file."""
    try:
        yield
    except ReadingRoomError as error:
        raise BuildError(f"Case {case.name}, {method.name} ({file.name}): {error}") from None


def _with_modality(image: MedicalImage, sources: Sources) -> MedicalImage:
    if sources.modality and image.modality_origin != "file":
        return image.with_modality(Modality(sources.modality))
    return image
