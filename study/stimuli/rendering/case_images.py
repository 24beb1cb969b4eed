"""The files of a case, read with one common window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from enhancers.display import window_levels
from enhancers.geometry import shown_aspect
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.load import Caps
from enhancers.load.mask import read_mask
from enhancers.measured import Known
from enhancers.windows import presets_for
from study.domain.recipes import ImageSource, SourceMethod
from study.stimuli import checks, deidentification
from study.stimuli.buffers import FINEST, quantised
from study.stimuli.gray_grid import GrayGrid, common_grid
from study.stimuli.image_similarity import ComparedImage
from study.stimuli.rendering.case_files import Header, mask_reader
from study.stimuli.rendering.case_reader import CaseReader, named
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
        The slices of each file, a single one unless the case is a stack, all with the same window.
    lead_file : Path
        The file that defines window, presets and spacing.
    grid : GrayGrid, optional
        The gray levels of all stimuli; None as in studies that an earlier version built.
    headers : mapping
        Of each DICOM file, `deidentification.ELEMENTS` of its different headers.
    known : mapping
        Of methods that fill in missing pixels, the mask of those that are known, for each slice.
    notes : tuple of str
        Sentences about the window of a stack.
    """

    case: SourceCase
    files: Mapping[SourceMethod, Path]
    images: Mapping[Path, tuple[MedicalImage, ...]]
    lead_file: Path
    grid: GrayGrid | None
    headers: Mapping[Path, tuple[Header, ...]]
    known: Mapping[SourceMethod, tuple[Known, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def lead(self) -> MedicalImage:
        """The image that defines window, presets and spacing: of a stack the middle slice."""
        images = self.images[self.lead_file]
        return images[len(images) // 2]

    def slices(self, method: SourceMethod) -> tuple[MedicalImage, ...]:
        """The slices that a method is applied to; one of them unless the case is a stack."""
        images = self.images[self.files[method]]
        if method not in self.known:
            return images
        pairs = zip(images, self.known[method], strict=True)
        return tuple(image.with_known(known) for image, known in pairs)

    def rounded(self, stack: Pixels) -> Pixels:
        """Slices at the gray levels that all stimuli of the case have.

        Parameters
        ----------
        stack : ndarray, float32, shape (S, H, W) or (S, H, W, 3), in [0, 1]
        """
        if self.grid is None:
            return quantised(stack, self._levels_of_old())
        # One at a time: indices of levels take eight bytes each.
        return np.stack([self.grid.rounded(one, self.lead.window) for one in stack])

    def level_facts(self) -> object:
        """What defines the gray levels, as values for JSON."""
        if self.grid is None:
            return self._levels_of_old()
        return [self.grid.origin, self.grid.step, self.grid.unused.tolist()]

    def _levels_of_old(self) -> int:
        """Largest gray level in studies that an earlier version built."""
        window = self.lead.window
        if min(image.bits for found in self.images.values() for image in found) > 8:
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
            "aspect": list(shown_aspect(lead.aspect)),
        }
        return json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


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
    of the unenhanced image. For ready-made images without these it is the union of all windows. A
    stack has the window of its volume. ``isolated`` files are decoded in worker processes.

    Raises
    ------
    BuildError
        A file cannot be read; the error names case, method and file.
    """
    files = dict(zip(sources.methods, case.files, strict=True))
    made = next((m for m in files if m.source is not ImageSource.FILE), None)
    original = leading = sources.reference or made or sources.original
    reader = CaseReader(sources, case, caps, isolated=isolated)
    if leading is not None:
        firsts = [reader.first(leading, files[leading])]
        window = firsts[0].window
    else:
        leading = sources.methods[0]
        firsts = [reader.first(method, file) for method, file in files.items()]
        ends = [image.window.ends for image in firsts]
        window = Window(min(low for low, _ in ends), max(high for _, high in ends))
    images: dict[Path, tuple[MedicalImage, ...]] = {}
    if original is not None and case.stack is None:
        images[files[leading]] = (firsts[0],)
    for method, file in files.items():
        if file not in images:
            images[file] = reader.slices(method, file, window)
    reader.check_alike(list(files.values()))
    grid = None
    if with_grid:
        place = None if original is None else [*images].index(files[original])
        values = [np.stack([one.source for one in found]) for found in images.values()]
        grid = common_grid(values, window, place)
    # Slices are read in the window that was chosen, and have nothing to say about it.
    notes = () if case.stack is None else firsts[0].warnings
    known = {}
    for method, mask in zip(sources.methods, case.masks, strict=False):
        if mask is not None:
            with named(case, method, mask):
                stack = case.stack is not None
                read = mask_reader(mask, caps, stack=stack, isolated=isolated)
                known[method] = tuple(read_mask(read, one) for one in images[files[method]])
    return CaseImages(case, files, images, files[leading], grid, reader.headers, known, notes)


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
    read = [image for found in inputs.images.values() for image in found]
    notes = [*inputs.notes, *(text for image in read for text in image.warnings)]
    if len({image.format == "JPEG" for image in read}) > 1:
        notes.append("Some images are JPEG and some are not: its blocks may betray a method.")
    first = {file: method for method, file in reversed(list(inputs.files.items()))}
    for file, method in first.items():
        for header in inputs.headers.get(file, ()):
            facts = deidentification.declared(header)
            notes += deidentification.check(inputs.case.name, method.name, facts, attested=attested)
    checks.check_alike(
        inputs.case.name,
        [
            ComparedImage(
                method.name, inputs.slices(method)[0].pixels, inputs.slices(method)[0].bits
            )
            for method in inputs.files
        ],
    )
    return tuple(dict.fromkeys(notes))
