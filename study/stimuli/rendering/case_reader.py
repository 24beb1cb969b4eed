"""Reading the files of a case: one slice of each, or the slices of a stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Window
from enhancers.load import Caps
from enhancers.method import Modality
from study.domain.errors import BuildError
from study.domain.recipes import SourceMethod
from study.stimuli.rendering.case_files import CaseFile, Header, opened
from study.stimuli.slice_range import MOST_BYTES
from study.stimuli.source_folders import SourceCase
from study.stimuli.sources import Sources


class CaseReader:
    """The files of a case, each opened once.

    Parameters
    ----------
    sources : Sources
    case : SourceCase
    caps : Caps
    isolated : bool
        Whether worker processes decode them.

    Attributes
    ----------
    headers : dict
        Of each DICOM file whose slices were read.
    """

    def __init__(self, sources: Sources, case: SourceCase, caps: Caps, *, isolated: bool) -> None:
        self.sources, self.case = sources, case
        self.caps, self.isolated = caps, isolated
        self.headers: dict[Path, tuple[Header, ...]] = {}
        self._opened: dict[Path, CaseFile] = {}

    def first(self, method: SourceMethod, path: Path) -> MedicalImage:
        """The image by which the window is chosen: of a stack the middle of its volume."""
        with named(self.case, method, path):
            image = self._file(path).image(self.case.slice_index)
            if self.case.stack is None:
                self._keep_headers(path, image, (self.case.slice_index,))
        return self._with_modality(image)

    def slices(self, method: SourceMethod, path: Path, window: Window) -> tuple[MedicalImage, ...]:
        """All slices that are shown, in a window."""
        case = self.case
        with named(case, method, path):
            file = self._file(path)
            indices: Sequence[int | None] = (case.slice_index,)
            if case.stack is not None:
                indices = case.stack.indices(file.slice_count)
            found = tuple(file.image(index, window.ends) for index in indices)
            _check_stack(found)
            self._keep_headers(path, found[0], indices)
        return tuple(self._with_modality(image) for image in found)

    def check_alike(self, paths: Sequence[Path]) -> None:
        """Raise BuildError where the volumes of a stack have different numbers of slices."""
        if self.case.stack is None:
            return
        counts = {path: self._opened[path].slice_count for path in paths}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{path.name} {count}" for path, count in counts.items())
            raise BuildError(
                f"Case {self.case.name}: its volumes have different numbers of slices ({listed}); "
                "readers scroll through them together, so that all need the same."
            )

    def _file(self, path: Path) -> CaseFile:
        if path not in self._opened:
            stack = self.case.stack is not None
            self._opened[path] = opened(path, self.caps, stack=stack, isolated=self.isolated)
        return self._opened[path]

    def _keep_headers(self, path: Path, image: MedicalImage, indices: Sequence[int | None]) -> None:
        if image.format == "DICOM" and path not in self.headers:
            self.headers[path] = self._opened[path].headers(indices)

    def _with_modality(self, image: MedicalImage) -> MedicalImage:
        modality = self.sources.modality
        if modality and image.modality_origin != "file":
            return image.with_modality(Modality(modality))
        return image


def _check_stack(slices: Sequence[MedicalImage]) -> None:
    first = slices[0]
    for number, one in enumerate(slices, 1):
        if one.pixels.shape != first.pixels.shape:
            raise BuildError(
                f"image {number} of the stack has {one.shape[1]} x {one.shape[0]} pixels and the "
                f"first {first.shape[1]} x {first.shape[0]}: they make no volume."
            )
    size = 2 * first.pixels.size * len(slices)
    if size > MOST_BYTES and len(slices) > 1:
        most = MOST_BYTES // (2 * first.pixels.size)
        raise BuildError(
            f"{len(slices)} slices of {first.shape[1]} x {first.shape[0]} pixels are "
            f"{size / 2**20:.0f} MiB, and {MOST_BYTES / 2**20:.0f} are possible: give a range or a "
            f"step with {max(most, 1)} slices at most."
        )


@contextmanager
def named(case: SourceCase, method: SourceMethod, file: Path) -> Iterator[None]:
    """Let errors name case, method and file."""
    try:
        yield
    except (ReadingRoomError, BuildError) as error:
        raise BuildError(f"Case {case.name}, {method.name} ({file.name}): {error}") from None
