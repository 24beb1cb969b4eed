"""The files of a case, read under one window: that of the reference, never one for each image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from enhancers.display import presets_for, window_levels
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Window
from enhancers.load import Caps, load
from enhancers.method import Modality
from study.domain.errors import BuildError
from study.domain.recipes import Making, SourceMethod
from study.stimuli import checks, deidentification
from study.stimuli.buffers import FINEST
from study.stimuli.image_similarity import ComparedImage
from study.stimuli.source_folders import SourceCase
from study.stimuli.sources import Sources


@dataclass(frozen=True, eq=False)
class CaseImages:
    """A case with its files in memory.

    Parameters
    ----------
    case : SourceCase
    files : mapping
        The file of each method; several may share one.
    images : mapping
        Each file once, all under the same window.
    lead : MedicalImage
        The one that the window, the presets and the spacing are from.
    levels : int
        Steps from black to white that all stimuli are reduced to.
    """

    case: SourceCase
    files: Mapping[SourceMethod, Path]
    images: Mapping[Path, MedicalImage]
    lead: MedicalImage
    levels: int

    def image(self, method: SourceMethod) -> MedicalImage:
        """What a method starts from."""
        return self.images[self.files[method]]

    def window_json(self) -> str:
        """Window, units, presets and spacing for the reader's page: one for the whole case."""
        lead = self.lead
        presets = presets_for(lead.modality, lead.window, lead.units, lead.pixels)
        shown = {
            "window": [lead.window.low, lead.window.high],
            "units": lead.units,
            "presets": [
                {"label": one.label, "levels": list(window_levels(one.low, one.high, lead.window))}
                for one in presets
            ],
            "spacing": [float(mm) for mm in lead.spacing] if lead.spacing else None,
        }
        return json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


def read_case(sources: Sources, case: SourceCase, caps: Caps) -> CaseImages:
    """Read every file of a case once.

    The window is that of the reference where there is one, else of the image that methods are run
    on; of ready-made images without a reference it is the widest of all.

    Raises
    ------
    BuildError
        A file cannot be read: the sentence of the loader with the names of case and method.
    """
    files = dict(zip(sources.methods, case.files, strict=True))
    made = next((m for m in files if m.making is not Making.FILE), None)
    leading = sources.reference or made
    images: dict[Path, MedicalImage] = {}
    if leading is not None:
        images[files[leading]] = _load(sources, case, leading, caps)
        window = images[files[leading]].window
    else:
        leading = sources.methods[0]
        windows = [_load(sources, case, method, caps).window for method in files]
        window = Window(min(w.low for w in windows), max(w.high for w in windows))
    for method, file in files.items():
        if file not in images:
            images[file] = _load(sources, case, method, caps, window)
    levels = FINEST
    # Results with finer steps than an 8-bit original would stand out from it.
    if min(image.bits for image in images.values()) <= 8:
        levels = max(2, min(round(window.high - window.low), FINEST))
    return CaseImages(case, files, images, images[files[leading]], levels)


def check_files(shelf: CaseImages, *, attested: bool) -> tuple[str, ...]:
    """The gates that need no rendering: text in the pixels, size, depth.

    Parameters
    ----------
    shelf : CaseImages
    attested : bool
        Somebody looked at the pixels.

    Returns
    -------
    tuple of str
        Notes for the coordinator, with what the loader remarked.

    Raises
    ------
    BuildError
    """
    notes = [text for image in shelf.images.values() for text in image.warnings]
    if len({image.format == "JPEG" for image in shelf.images.values()}) > 1:
        notes.append("Some images are JPEG and some are not: its blocks may betray a method.")
    first = {file: method for method, file in reversed(list(shelf.files.items()))}
    for file, method in first.items():
        if shelf.images[file].format == "DICOM":
            facts = deidentification.declared(file)
            notes += deidentification.check(shelf.case.name, method.name, facts, attested=attested)
    checks.check_alike(
        shelf.case.name,
        [
            ComparedImage(method.name, shelf.image(method).pixels, shelf.image(method).bits)
            for method in shelf.files
        ],
    )
    return tuple(dict.fromkeys(notes))


def _load(
    sources: Sources,
    case: SourceCase,
    method: SourceMethod,
    caps: Caps,
    window: Window | None = None,
) -> MedicalImage:
    file = case.files[sources.methods.index(method)]
    ends = None if window is None else (window.low, window.high)
    try:
        image = load(file, slice_index=case.slice_index, window=ends, caps=caps)
    except ReadingRoomError as error:
        raise BuildError(f"Case {case.name}, {method.name} ({file.name}): {error}") from None
    if sources.modality and image.modality_origin != "file":
        return image.with_modality(Modality(sources.modality))
    return image
