"""Sources of the images of a study: ready-made files, or methods and their inputs.

Only tables and file names are read here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from study.domain.composed import composed
from study.domain.errors import BuildError
from study.domain.recipes import INPUT, ImageSource, SourceMethod, parse_anchor, parse_method
from study.domain.terms import MethodKind
from study.stimuli.manifest import ManifestRow, read_manifest
from study.stimuli.slice_range import SliceRange
from study.stimuli.source_folders import (
    SourceCase,
    check_table,
    images_by_case,
    inputs_by_case,
    masks_of,
    patient_table,
    source_case,
    visible_files,
)

TRUTH = "truth"
"""Name of the method whose images are the clean ones of a separate folder."""

LEAST_METHODS = 2

_PUNCTUATION = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class Sources:
    """Cases and methods; every case has an image of every method.

    ``modality``, such as "US", is used where files do not state it; it selects the presets of the
    methods.
    """

    cases: tuple[SourceCase, ...]
    methods: tuple[SourceMethod, ...]
    modality: str = ""

    def __post_init__(self) -> None:
        if not self.cases:
            raise BuildError("There is no case; give at least one.")
        compared = sum(method.kind is not MethodKind.ORIGINAL for method in self.methods)
        if compared < LEAST_METHODS:
            raise BuildError(
                f"There is {compared} method; a comparison needs at least {LEAST_METHODS}, of "
                f"which {INPUT} may be one."
            )
        _check_names("cases", [case.name for case in self.cases])
        _check_names("methods", [method.name for method in self.methods])
        if sum(method.kind is MethodKind.REFERENCE for method in self.methods) > 1:
            raise BuildError("There are several references; a study has one at most.")

    @property
    def reference(self) -> SourceMethod | None:
        """The reference method, if there is one."""
        return self._of_kind(MethodKind.REFERENCE)

    @property
    def original(self) -> SourceMethod | None:
        """The method of the unenhanced images, if they are shown beside the others."""
        return self._of_kind(MethodKind.ORIGINAL)

    def _of_kind(self, kind: MethodKind) -> SourceMethod | None:
        return next((method for method in self.methods if method.kind is kind), None)


def from_manifest(path: Path, *, root: Path | None = None, modality: str = "") -> Sources:
    """Ready-made images from a table, see `manifest.read_manifest`.

    Raises
    ------
    BuildError
        The table has problems, or a case lacks the image of a method.
    """
    rows = read_manifest(path, root)
    names = tuple(dict.fromkeys(row.method for row in rows))
    by_case: dict[str, dict[str, ManifestRow]] = {}
    for row in rows:
        by_case.setdefault(row.case, {})[row.method] = row
    cases: list[SourceCase] = []
    for case, images in by_case.items():
        missing = [name for name in names if name not in images]
        if missing:
            line = next(iter(images.values())).line
            raise BuildError(
                f"{path.name}: case {case!r} (line {line}) has no image of {', '.join(missing)}; "
                "every case needs one of every method."
            )
        first = images[names[0]]
        files = tuple(images[name].file for name in names)
        cases.append(
            SourceCase(
                case,
                first.patient,
                files,
                first.training,
                first.slice_index,
                truth=first.truth,
                stack=first.stack,
            )
        )
    return Sources(tuple(cases), tuple(SourceMethod(name) for name in names), modality)


def from_folders(
    folder: Path, *, patients: Path | None = None, separator: str = "", modality: str = ""
) -> Sources:
    """Ready-made images in one folder per method; files with the same name show the same case.

    Parameters
    ----------
    folder : Path
        Parent of the folders, whose names are the names of the methods.
    patients : Path, optional
        Table ``case,patient``; by default ``patients.csv`` in ``folder``. Without a table every
        case is of a different patient.
    separator : str
        The patient is the part of a file name before it, such as "_" for ``p01_03.png``.
    modality : str

    Raises
    ------
    BuildError
        A name is duplicate or missing in a folder, or there are no images or too few methods.
    """
    folders = [path for path in visible_files(folder) if path.is_dir()]
    _check_names("methods", [composed(path.name) for path in folders])
    found = {composed(path.name): images_by_case(path) for path in folders}
    if not found:
        raise BuildError(f"{folder} holds no folder; make one for each method, with its images.")
    everything = tuple(sorted(set().union(*found.values())))
    for method, images in found.items():
        missing = [name for name in everything if name not in images]
        if missing:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise BuildError(
                f"The folder {method} lacks {len(missing)} of {len(everything)} cases ({shown}); "
                "every method needs an image of every case, with the same name."
            )
    table = patient_table(folder, patients)
    cases = tuple(
        source_case(name, tuple(images[name] for images in found.values()), table, separator)
        for name in everything
    )
    check_table(table, everything)
    return Sources(cases, tuple(SourceMethod(name) for name in found), modality)


def from_images(
    inputs: Sequence[Path],
    methods: Sequence[str],
    *,
    truth: Path | None = None,
    anchors: Sequence[str] = (),
    patients: Path | None = None,
    separator: str = "",
    modality: str = "",
) -> Sources:
    """Images that methods of `enhancers` are run on.

    Parameters
    ----------
    inputs : sequence of Path
        Files, or folders of files.
    methods : sequence of str
        Such as ``nlm``, ``tv:weight=0.1,iterations=50`` or ``input`` (the unchanged image).
        ``null_space:task=inpaint,mask=PATH`` fills in what the mask of a file marks, or the file of
        the case's name in a folder.
    truth : Path, optional
        Folder with a clean image of each case, with the same name: the hidden reference.
    anchors : sequence of str
        Degradations with their levels, such as ``blur:3``.
    patients, separator, modality
        As in `from_folders`; ``patients.csv`` is looked for in a single folder.

    Raises
    ------
    BuildError
    """
    named = inputs_by_case(inputs)
    whole = [parse_method(text) for text in methods] + [parse_anchor(text) for text in anchors]
    clean = images_by_case(truth) if truth is not None else {}
    if truth is not None:
        whole.append(SourceMethod(TRUTH, MethodKind.REFERENCE))
        missing = [name for name in named if name not in clean]
        if missing:
            raise BuildError(f"{truth} has no clean image of {', '.join(missing[:5])}.")
    single = inputs[0] if len(inputs) == 1 and inputs[0].is_dir() else None
    table = patient_table(single, patients)
    cases = tuple(
        source_case(
            name,
            tuple(clean[name] if one.source is ImageSource.FILE else path for one in whole),
            table,
            separator,
        )
        for name, path in named.items()
    )
    check_table(table, tuple(named))
    if any(one.mask for one in whole):
        masks = [masks_of(one.mask, named) if one.mask else {} for one in whole]
        cases = tuple(
            replace(case, masks=tuple(one.get(case.name) for one in masks)) for case in cases
        )
    return Sources(cases, tuple(whole), modality)


def with_roles(
    sources: Sources,
    *,
    reference: str = "",
    original: str = "",
    anchors: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
) -> Sources:
    """The sources with a reference, anchors and groups of the blinding question, by name.

    ``original`` is the method whose images are unenhanced: they are shown beside the others and
    never rated. Where methods are run, ``input`` is added for that if it is not among them.
    """
    given = {composed(name): group for name, group in (groups or {}).items()}
    reference, anchors = composed(reference), [composed(name) for name in anchors]
    original = composed(original)
    if original == INPUT:
        sources = _with_input(sources)
    known = [method.name for method in sources.methods]
    for name in (*filter(None, (reference, original)), *anchors, *given):
        if name not in known:
            raise BuildError(f"No method {name!r}; there are {', '.join(known)}.")
    if reference in anchors:
        raise BuildError(f"{reference!r} cannot be the reference and an anchor.")
    if original and original in (reference, *anchors):
        raise BuildError(
            f"{original!r} is shown beside the others as unenhanced, so that it cannot be the "
            "reference or an anchor too."
        )

    def changed(method: SourceMethod) -> SourceMethod:
        kind = method.kind
        if reference and kind is MethodKind.REFERENCE:
            kind = MethodKind.TEST
        if method.name == reference:
            kind = MethodKind.REFERENCE
        if method.name in anchors:
            kind = MethodKind.ANCHOR
        if method.name == original:
            kind = MethodKind.ORIGINAL
        return replace(method, kind=kind, group=given.get(method.name, method.group))

    return replace(sources, methods=tuple(changed(method) for method in sources.methods))


def _with_input(sources: Sources) -> Sources:
    """The sources with the unchanged image of each case, where methods are run on it."""
    made = [place for place, one in enumerate(sources.methods) if one.source is ImageSource.ENHANCE]
    if not made or any(one.name == INPUT for one in sources.methods):
        return sources
    added = SourceMethod(INPUT, MethodKind.ORIGINAL, source=ImageSource.INPUT)
    return replace(
        sources,
        methods=(*sources.methods, added),
        cases=tuple(
            replace(
                case,
                files=(*case.files, case.files[made[0]]),
                masks=(*case.masks, None) if case.masks else (),
            )
            for case in sources.cases
        ),
    )


def with_stack(sources: Sources, text: str) -> Sources:
    """The sources with every volume as a stack of these slices, unless its table names a slice.

    Raises
    ------
    BuildError
        The text is not one of `SliceRange.parse`.
    """
    if not text.strip():
        return sources
    stack = SliceRange.parse(text)
    cases = tuple(
        case if case.stack or case.slice_index is not None else replace(case, stack=stack)
        for case in sources.cases
    )
    return replace(sources, cases=cases)


def with_training(sources: Sources, names: Collection[str]) -> Sources:
    """The sources with these cases for training and dummies only, which are not analysed."""
    names = [composed(name) for name in names]
    known = {case.name for case in sources.cases}
    missing = [name for name in names if name not in known]
    if missing:
        raise BuildError(f"No case {missing[0]!r} to train on.")
    cases = tuple(replace(c, training=c.training or c.name in names) for c in sources.cases)
    return replace(sources, cases=cases)


def _check_names(what: str, names: Sequence[str]) -> None:
    """Raise BuildError for names that differ only in case and punctuation: likely typing errors."""
    seen: dict[str, str] = {}
    for name in names:
        if not name.strip():
            raise BuildError(f"One of the {what} has no name.")
        if name in seen.values():
            raise BuildError(f"Two {what} are called {name!r}; give each its own name.")
        plain = _PUNCTUATION.sub(" ", name.casefold())
        if plain in seen:
            raise BuildError(
                f"The {what} {seen[plain]!r} and {name!r} differ in case, spaces or hyphens only; "
                "use one spelling, or names that are clearly different."
            )
        seen[plain] = name
