"""One run of a build: stimuli case by case, and what the build reports about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import select

from enhancers.image import Pixels
from enhancers.load import Caps
from enhancers.settings import get_settings
from study.domain.composed import composed
from study.domain.errors import BuildError, DifferenceFound
from study.domain.recipes import ImageSource, SourceMethod
from study.stats.table_file import alike_names
from study.stimuli import buffers, checks, deidentification, roster
from study.stimuli.checks import BuildReport
from study.stimuli.image_similarity import (
    ComparedImage,
    Similarity,
    compared_slices,
    measure,
    of_stack,
)
from study.stimuli.rendering.case_images import CaseImages, check_files, read_case
from study.stimuli.rendering.renderer import Renderer
from study.stimuli.source_folders import SourceCase
from study.stimuli.sources import Sources
from study.storage import key_file
from study.storage.key import Key
from study.storage.models import Stimulus, new_id
from study.storage.store import Store

_SAVED_SHARE = 20
MOST_PROBLEMS = 8
"""A build stops after this number of refused cases."""

Progress = Callable[[float, str], None]
"""Called with the share done and a text; its exceptions stop the build."""


@dataclass(frozen=True)
class Options:
    """Options of a build.

    Parameters
    ----------
    seed : int
        Seed of the methods, the same for all cases.
    device : str
        "auto", "cpu", "cuda", ...
    attest_deidentified : bool
        A person attests that the pixels of all files show no name.
    accept_differences : bool
        Accept marks and other differences by which images could be recognised, in all cases.
    accept_cases : frozenset of str
        Names of the cases in which somebody has looked at such differences and accepts them.
    isolated : bool
        Decode files in worker processes with limits, for those that came over the network.
    """

    seed: int = 0
    device: str = "auto"
    attest_deidentified: bool = False
    accept_differences: bool = False
    accept_cases: frozenset[str] = frozenset()
    isolated: bool = False


class BuildRun:
    """The state of one build."""

    def __init__(
        self, store: Store, key: Key, sources: Sources, options: Options, progress: Progress
    ) -> None:
        self.store, self.key, self.sources = store, key, sources
        self.options, self.progress = options, progress
        self.renderer = Renderer(options.seed, options.device, key.seed)
        self.caps = Caps.from_settings(get_settings())
        self.accepted = {composed(name) for name in options.accept_cases}
        self.total = len(sources.cases) * len(sources.methods)
        self.rendered = self.kept = 0
        self.recipes = dict(key.stimuli)
        self.places = {case.name: place for place, case in enumerate(sources.cases, 1)}
        self.item_ids = {case.name: name for name, case in key.cases.items()}
        self._unsaved = 0
        self.measured: list[Similarity] = []
        self.accepted_differences: list[str] = []
        self.warnings: dict[str, list[str]] = {}
        self.without_header: Counter[str] = Counter()
        self.unchanged: dict[str, list[str]] = {}

    def cases(self) -> None:
        """Build every case, in random order."""
        problems: list[str] = []
        differing: list[tuple[str, str]] = []
        for case in roster.shuffled(self.sources.cases):
            try:
                self._case(case)
            except DifferenceFound as error:
                differing.append((case.name, str(error)))
            except BuildError as error:
                problems.append(str(error))
                if len(problems) == MOST_PROBLEMS < len(self.sources.cases):
                    problems.append("Stopped here; what was rendered is kept.")
                    break
        if differing:
            differing.sort()
            options = " ".join(f'--accept-case "{name}"' for name, _ in differing)
            problems += [
                *(text for _, text in differing),
                f"To accept all of these cases: {options}",
            ]
        if problems:
            raise BuildError("\n".join(problems))

    def _case(self, case: SourceCase) -> None:
        item_id = self.item_ids[case.name]
        attested = self.options.attest_deidentified
        inputs = read_case(self.sources, case, self.caps, isolated=self.options.isolated)
        for text in check_files(inputs, attested=attested):
            self.warnings.setdefault(text, []).append(case.name)
        formats = [found[0].format for found in inputs.images.values()]
        self.without_header.update(one for one in formats if one != "DICOM")
        with self.store.write() as session:
            roster.put_item(
                session,
                self.store.study_id,
                self.key,
                item_id,
                training=case.training,
                modality=str(inputs.lead.modality),
                window_json=inputs.window_json(),
            )
            roster.mark(session, item_id, roster.PENDING)
        # Random, because the order of files and rows would reveal the method.
        images = {
            method: self._stimulus(inputs, item_id, method)
            for method in roster.shuffled(self.sources.methods)
        }
        self._note_unchanged(inputs, images)
        self._compare(inputs, images)
        check = deidentification.ATTESTED if attested else deidentification.CHECKED
        with self.store.write() as session:
            roster.mark(session, item_id, check)

    def _stimulus(self, inputs: CaseImages, item_id: str, method: SourceMethod) -> Pixels:
        """The stimulus of an earlier build if it is still valid, else a new one."""
        method_id = self.key.method_id(method.name)
        recipe = self.renderer.digest(inputs, method)
        with self.store.read() as session:
            row = roster.stimulus_of(session, item_id, method_id)
        if row is not None and self.recipes.get(row.id) == recipe:
            found = buffers.read(self.store.stimuli, row)
            if found is not None:
                self.kept += 1
                return found
        self._report_progress(inputs.case, 0.0)
        made = self.renderer.make(
            inputs, method, lambda part: self._report_progress(inputs.case, part)
        )
        checks.check_content(inputs.case.name, ComparedImage(method.name, made))
        pixels = inputs.rounded(made)
        written, stimulus_id = buffers.write(self.store.stimuli, pixels), new_id()
        self._keep(stimulus_id, recipe)
        with self.store.write() as session:
            roster.put_stimulus(session, stimulus_id, item_id, method_id, written)
        self.rendered += 1
        return pixels

    def _note_unchanged(self, inputs: CaseImages, images: Mapping[SourceMethod, Pixels]) -> None:
        """Note the methods that left the image of the case as it was."""
        for method, made in images.items():
            if method.source is not ImageSource.ENHANCE:
                continue
            given = np.stack([image.pixels for image in inputs.slices(method)])
            if np.array_equal(made, inputs.rounded(given)):
                self.unchanged.setdefault(method.name, []).append(inputs.case.name)

    def _compare(self, inputs: CaseImages, images: Mapping[SourceMethod, Pixels]) -> None:
        """Compare the images of a case with each other and with its base, slice by slice."""
        case, grid = inputs.case.name, inputs.grid
        name, base = self._base(inputs, images)
        parts: dict[SourceMethod, list[Similarity]] = {}
        found: tuple[str, ...] = ()
        for place in compared_slices(len(base)):
            first = ComparedImage(name, base[place])
            those = {one: ComparedImage(one.name, made[place]) for one, made in images.items()}
            checks.check_alike(case, [first, *those.values()])
            measured = {m: measure(case, one, first) for m, one in those.items() if m.name != name}
            for method, similarity in measured.items():
                parts.setdefault(method, []).append(similarity)
            if grid is None or found:
                continue
            where = case if len(base) == 1 else f"{case}, image {place + 1} of its stack"
            found = checks.telling_differences(
                where, list(those.values()), first, inputs.lead.window, grid,
                [one for method, one in measured.items() if method.source is ImageSource.FILE],
            )  # fmt: skip
        self.measured += [of_stack(similarities) for similarities in parts.values()]
        if found and not (self.options.accept_differences or case in self.accepted):
            raise DifferenceFound("\n".join(sorted(found)))
        self.accepted_differences += sorted(found)

    def _base(
        self, inputs: CaseImages, images: Mapping[SourceMethod, Pixels]
    ) -> tuple[str, Pixels]:
        """What the others are compared with: the reference, the input or the first image."""
        plain = [
            m for m in self.sources.methods if m.source in (ImageSource.FILE, ImageSource.INPUT)
        ]
        ordered = [m for m in plain if m is self.sources.reference]
        ordered += [m for m in plain if m is self.sources.original]
        ordered += [m for m in plain if m.source is ImageSource.INPUT]
        if not ordered and len(plain) == len(images):
            ordered = plain
        if ordered:
            return ordered[0].name, images[ordered[0]]
        given = [image.pixels for image in inputs.images[inputs.lead_file]]
        return "the input", inputs.rounded(np.stack(given))

    def _report_progress(self, case: SourceCase, part: float) -> None:
        done = self.rendered + self.kept
        place = self.places[case.name]
        self.progress((done + part) / self.total, f"image {done + 1} of {self.total}, case {place}")

    def _keep(self, stimulus_id: str, recipe: str) -> None:
        """Note the inputs of a stimulus, and save the key file after each 20th more of them.

        Where the program is killed, the last few are rendered again.
        """
        self.recipes[stimulus_id] = recipe
        self._unsaved += 1
        if self._unsaved * _SAVED_SHARE >= len(self.recipes):
            self._save()

    def _save(self) -> None:
        self.key, self._unsaved = replace(self.key, stimuli=dict(self.recipes)), 0
        key_file.save(self.key)

    def clean_up(self) -> None:
        """Remove files and key entries that belong to no stimulus."""
        with self.store.read() as session:
            rows = session.execute(select(Stimulus.id, Stimulus.file)).all()
        buffers.remove_unused(self.store.stimuli, {row.file for row in rows})
        kept = {row.id for row in rows}
        self.recipes = {name: recipe for name, recipe in self.recipes.items() if name in kept}
        self._save()

    def report(self) -> BuildReport:
        """The report of the build."""
        self.progress(1.0, "done")
        names = [method.name for method in self.sources.methods]
        notes = []
        for text, cases in self.warnings.items():
            who = f"Case {cases[0]}" if len(cases) == 1 else f"{len(cases)} cases"
            notes.append(f"{who}: {text}")
        if self.without_header and not self.options.attest_deidentified:
            formats = " and ".join(sorted(self.without_header))
            notes.append(
                f"{self.without_header.total()} files ({formats}) cannot say whether text is "
                "burned in: look at them."
            )
        for name in sorted(self.unchanged):
            cases = sorted(self.unchanged[name])
            where = f"case {cases[0]}" if len(cases) == 1 else f"{len(cases)} cases"
            notes.append(
                f"{name} left the image of {where} unchanged: it found nothing to do, and readers "
                "see the input."
            )
        built = self.sources.cases
        patients = [case.patient for case in built if case.patient != case.name]
        notes += [f"{words}." for words in alike_names("patients", patients)]
        notes += [f"{words}." for words in alike_names("cases", [case.name for case in built])]
        return BuildReport(
            cases=len(self.sources.cases),
            training=sum(case.training for case in self.sources.cases),
            methods=tuple(names),
            rendered=self.rendered,
            kept=self.kept,
            measured=tuple(sorted(self.measured, key=lambda m: (m.case, names.index(m.method)))),
            notes=tuple(notes),
            accepted=tuple(sorted(self.accepted_differences)),
        )
