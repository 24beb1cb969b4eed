"""A build from case to case: what is finished is on the disk, and an interrupted one goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from enhancers.image import Pixels
from enhancers.load import Caps
from enhancers.method import Modality
from enhancers.settings import get_settings
from study.domain.errors import BuildError
from study.domain.protocol import Status
from study.domain.recipes import Making, SourceMethod
from study.stimuli import buffers, checks, deidentification, roster
from study.stimuli.checks import GateReport
from study.stimuli.image_similarity import ComparedImage, Similarity, measure
from study.stimuli.rendering.case_images import CaseImages, check_files, read_case
from study.stimuli.rendering.renderer import Renderer, key_method
from study.stimuli.source_folders import SourceCase
from study.stimuli.sources import Sources
from study.storage import hash_chain, key_file
from study.storage.key import Key
from study.storage.models import Stimulus, Study, new_id
from study.storage.store import Store

MOST_PROBLEMS = 8
"""A build stops after so many cases that are refused."""

Progress = Callable[[float, str], None]
"""Told the share that is done and what is being done; what it raises stops the build."""


@dataclass(frozen=True)
class Options:
    """What a coordinator may decide about a build.

    Parameters
    ----------
    seed : int
        Of the methods, the same for all cases.
    device : str
        "auto", "cpu", "cuda", ...
    attest_deidentified : bool
        Somebody has looked at the pixels of all files and found no name.
    accept_differences : bool
        Sharp differences at the edge of ready-made images are no marks.
    """

    seed: int = 0
    device: str = "auto"
    attest_deidentified: bool = False
    accept_differences: bool = False


def build(
    store: Store,
    key: Key,
    sources: Sources,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
    actor: str = "coordinator",
) -> GateReport:
    """Render the stimuli of a draft study, so that it has exactly these cases and methods.

    Stimuli of an earlier build that were made from the same files in the same way are kept. The key
    file is read again and written anew, so a `Key` from before is out of date afterwards.

    Parameters
    ----------
    store : Store
    key : Key
        Bound to the study.
    sources : Sources
    options : Options, optional
    progress : callable, optional
    actor : str
        For the audit log.

    Raises
    ------
    BuildError
        The study is no draft, a method or its parameters are unknown, a file cannot be read, or an
        image does not pass the gates; the refused cases are told together, up to a number.
    KeyFileError
        The key is not that of the study.
    """
    chosen = options or Options()
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
    if study.status != Status.DRAFT:
        raise BuildError(f"The study is {study.status}; only a draft can be built.")
    known = [str(modality) for modality in Modality]
    if sources.modality and sources.modality not in known:
        raise BuildError(f"The modality {sources.modality!r} is unknown; use {', '.join(known)}.")
    _check_places(store, sources)
    groups = store.protocol().blinding_groups
    methods = [key_method(method, groups, chosen.seed) for method in sources.methods]
    key = key_file.load(key.path, store.folder, study_id=study.id, seed_sha256=study.seed_sha256)
    key = roster.enrolled(key, methods, sources.cases)
    key_file.save(key)
    with store.write() as session:
        roster.sync(session, store.study_id, key)
    run = _Run(store, key, sources, chosen, progress or _silent)
    try:
        run.cases()
    finally:
        run.clean_up()
    _log(store, sources, chosen, actor)
    return run.report()


def _check_places(store: Store, sources: Sources) -> None:
    folder = store.folder.resolve()
    for case in sources.cases:
        for file in case.files:
            if folder in file.resolve().parents:
                raise BuildError(
                    f"{file} lies in the study folder, whose copies would carry its name; move "
                    "the images elsewhere."
                )


def _silent(_share: float, _what: str) -> None:
    """Stand in for a progress bar."""


def _log(store: Store, sources: Sources, options: Options, actor: str) -> None:
    """Nothing here names a method: the log stays in the database."""
    detail = f"{len(sources.cases)} cases, {len(sources.methods)} methods"
    if options.attest_deidentified:
        detail += "; attested that the pixels name nobody"
    if options.accept_differences:
        detail += "; differences at the edge accepted"
    with store.write() as session:
        hash_chain.audit(session, actor, "build", detail=detail)


class _Run:
    """The cases of one build, and what came of them."""

    def __init__(
        self, store: Store, key: Key, sources: Sources, options: Options, progress: Progress
    ) -> None:
        self.store, self.key, self.sources = store, key, sources
        self.options, self.progress = options, progress
        self.maker = Renderer(options.seed, options.device, key.seed)
        self.caps = Caps.from_settings(get_settings())
        self.total = len(sources.cases) * len(sources.methods)
        self.rendered = self.kept = 0
        self.measured: list[Similarity] = []
        self.remarks: dict[str, list[str]] = {}
        self.mute: Counter[str] = Counter()

    def cases(self) -> None:
        """Build every case, in an order that tells nothing."""
        problems: list[str] = []
        for case in roster.shuffled(self.sources.cases):
            try:
                self._case(case)
            except BuildError as error:
                problems.append(str(error))
                if len(problems) == MOST_PROBLEMS < len(self.sources.cases):
                    problems.append("Stopped here; what was rendered is kept.")
                    break
        if problems:
            raise BuildError("\n".join(problems))

    def _case(self, case: SourceCase) -> None:
        item_id = next(name for name, one in self.key.cases.items() if one.name == case.name)
        attested = self.options.attest_deidentified
        shelf = read_case(self.sources, case, self.caps)
        for text in check_files(shelf, attested=attested):
            self.remarks.setdefault(text, []).append(case.name)
        self.mute.update(i.format for i in shelf.images.values() if i.format != "DICOM")
        with self.store.write() as session:
            roster.put_item(
                session,
                self.store.study_id,
                self.key,
                item_id,
                training=case.training,
                modality=str(shelf.lead.modality),
                window_json=shelf.window_json(),
            )
            roster.mark(session, item_id, roster.PENDING)
        # The order in which files and rows are made would tell the method.
        images = {
            method: ComparedImage(method.name, self._stimulus(shelf, item_id, method))
            for method in roster.shuffled(self.sources.methods)
        }
        self._compare(shelf, images)
        check = deidentification.ATTESTED if attested else deidentification.CHECKED
        with self.store.write() as session:
            roster.mark(session, item_id, check)

    def _stimulus(self, shelf: CaseImages, item_id: str, method: SourceMethod) -> Pixels:
        """The stimulus of an earlier build if it is the same, else a new one."""
        method_id = self.key.method_id(method.name)
        recipe = self.maker.digest(shelf, method)
        with self.store.read() as session:
            row = roster.stimulus_of(session, item_id, method_id)
        if row is not None and self.key.stimuli.get(row.id) == recipe:
            found = buffers.read(self.store.stimuli, row)
            if found is not None:
                self.kept += 1
                return found
        self._tell(shelf.case, 0.0)
        made = self.maker.make(shelf, method, lambda part: self._tell(shelf.case, part))
        checks.check_content(shelf.case.name, ComparedImage(method.name, made))
        pixels = buffers.quantised(made, shelf.levels)
        written, stimulus_id = buffers.write(self.store.stimuli, pixels), new_id()
        self.key = self.key.with_stimulus(stimulus_id, recipe)
        key_file.save(self.key)
        with self.store.write() as session:
            roster.put_stimulus(session, stimulus_id, item_id, method_id, written)
        self.rendered += 1
        return pixels

    def _compare(self, shelf: CaseImages, images: dict[SourceMethod, ComparedImage]) -> None:
        """The gates that compare the images of a case, with its reference where there is one."""
        base = self._base(shelf, images)
        checks.check_alike(shelf.case.name, [base, *images.values()])
        for method, image in images.items():
            if image is base:
                continue
            if method.making is Making.FILE and not self.options.accept_differences:
                checks.check_marks(shelf.case.name, image, base)
            self.measured.append(measure(shelf.case.name, image, base))

    def _base(self, shelf: CaseImages, images: dict[SourceMethod, ComparedImage]) -> ComparedImage:
        """What the others are compared with: the reference, the input, or the first image."""
        plain = [m for m in self.sources.methods if m.making in (Making.FILE, Making.INPUT)]
        ordered = [m for m in plain if m is self.sources.reference]
        ordered += [m for m in plain if m.making is Making.INPUT]
        if ordered:
            return images[ordered[0]]
        if len(plain) == len(images):
            return images[plain[0]]
        return ComparedImage("the input", buffers.quantised(shelf.lead.pixels, shelf.levels))

    def _tell(self, case: SourceCase, part: float) -> None:
        done = self.rendered + self.kept
        place = 1 + self.sources.cases.index(case)
        self.progress((done + part) / self.total, f"image {done + 1} of {self.total}, case {place}")

    def clean_up(self) -> None:
        """Remove files and entries of the key that belong to no stimulus."""
        with self.store.read() as session:
            rows = session.execute(select(Stimulus.id, Stimulus.file)).all()
        buffers.sweep(self.store.stimuli, {row.file for row in rows})
        self.key = self.key.with_only({row.id for row in rows})
        key_file.save(self.key)

    def report(self) -> GateReport:
        """What was done and measured."""
        self.progress(1.0, "done")
        names = [method.name for method in self.sources.methods]
        notes = []
        for text, cases in self.remarks.items():
            who = f"Case {cases[0]}" if len(cases) == 1 else f"{len(cases)} cases"
            notes.append(f"{who}: {text}")
        if self.mute and not self.options.attest_deidentified:
            formats = " and ".join(sorted(self.mute))
            notes.append(
                f"{self.mute.total()} files ({formats}) cannot say whether text is burned in: look "
                "at them."
            )
        return GateReport(
            cases=len(self.sources.cases),
            training=sum(case.training for case in self.sources.cases),
            methods=tuple(names),
            rendered=self.rendered,
            kept=self.kept,
            measured=tuple(sorted(self.measured, key=lambda m: (m.case, names.index(m.method)))),
            notes=tuple(notes),
        )
