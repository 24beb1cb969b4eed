"""Requirements of a freeze: all stimuli are built, and no text reveals a name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.formatting import plural
from study.domain.inference import small_samples
from study.domain.plan import method_pairs
from study.domain.protocol import Protocol
from study.domain.recipes import UNPROCESSED
from study.domain.terms import MethodKind
from study.domain.windows import fits, label_of
from study.planning.assignment import PlannedCase
from study.stimuli import buffers, deidentification
from study.storage import key_file
from study.storage.key import Key
from study.storage.models import Item, Method, Stimulus, Study
from study.storage.store import Store


@dataclass(frozen=True, eq=False)
class BuiltStudy:
    """The rows of a build."""

    items: Sequence[Item]
    methods: Sequence[Method]
    stimuli: Sequence[Stimulus]

    @property
    def cases(self) -> tuple[PlannedCase, ...]:
        """The cases as the design needs them."""
        return tuple(PlannedCase(item.id, item.patient_key, item.training) for item in self.items)

    @property
    def kinds(self) -> tuple[tuple[str, MethodKind], ...]:
        """The methods that are compared, as the design needs them."""
        return tuple((method.id, MethodKind(method.kind)) for method in self.compared)

    @property
    def compared(self) -> tuple[Method, ...]:
        """All methods but that of the unenhanced image."""
        return tuple(one for one in self.methods if one.kind != MethodKind.ORIGINAL)

    @property
    def originals(self) -> dict[str, str]:
        """SHA-256 of the unenhanced image of each case, where it is shown beside the others."""
        shown = {method.id for method in self.methods} - {method.id for method in self.compared}
        return {one.item_id: one.pixel_sha256 for one in self.stimuli if one.method_id in shown}


def built_study(session: Session) -> BuiltStudy:
    """Read the rows of a build."""
    return BuiltStudy(
        session.scalars(select(Item).order_by(Item.case_key)).all(),
        session.scalars(select(Method).order_by(Method.id)).all(),
        session.scalars(select(Stimulus)).all(),
    )


def reloaded_key(store: Store, key: Key) -> Key:
    """The key from its file, which a build may have changed."""
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
    return key_file.load(key.path, store.folder, study_id=study.id, seed_sha256=study.seed_sha256)


def missing_stimuli(store: Store, key: Key, built: BuiltStudy) -> Iterator[str]:
    """Sentences about missing cases, methods and stimuli."""
    if not built.items or not built.methods:
        yield "There are no stimuli yet: run build first."
        return
    same_cases = {item.id for item in built.items} == set(key.cases)
    if not same_cases or {method.id for method in built.methods} != set(key.methods):
        yield "The build was not finished: run it again, it goes on where it stopped."
        return
    passed = (deidentification.CHECKED, deidentification.ATTESTED)
    missing = len(built.items) * len(built.methods) - len(built.stimuli)
    pending = sum(one.deid_check not in passed for one in built.stimuli)
    if missing or pending:
        yield (
            f"{missing} stimuli are missing and {pending} have not passed the checks: run build "
            "again until it ends without complaint."
        )
        return
    old = sum(json.loads(item.window_json).get("grid") is None for item in built.items)
    if old:
        yield (
            f"{plural(old, 'case')} of an earlier version: the gray levels of its images tell an "
            "original from a result; run build again."
        )
        return
    damaged = sum(buffers.read(store.stimuli, one) is None for one in built.stimuli)
    if damaged:
        yield f"{damaged} stimuli are missing or were changed on the disk: run build again."


def revealing_texts(
    code: str, protocol: Protocol, key: Key, readers: Sequence[str] = ()
) -> Iterator[str]:
    """Sentences about texts and reader codes that name a method, a case or a patient."""
    for where, text in _texts(code, protocol, readers):
        if found := key.named_in(text):
            names = ", ".join(repr(name) for name in found)
            yield (
                f"The {where} would tell readers of {names}: write it without the name, or build "
                "with another name."
            )


def doubtful_texts(
    code: str, protocol: Protocol, key: Key, readers: Sequence[str] = ()
) -> Iterator[str]:
    """Sentences about words that may tell readers of a name, and that a person has to confirm."""
    for where, text in _texts(code, protocol, readers):
        for doubt in key.doubts_in(text):
            yield f"The word {doubt.word!r} of the {where} may tell readers of {doubt.name!r}."


def _texts(code: str, protocol: Protocol, readers: Sequence[str]) -> list[tuple[str, str]]:
    """The texts that readers may see, with what they are."""
    texts = [("code of the study", code), ("title", protocol.title),
             ("instructions", protocol.instructions), ("consent", protocol.consent),
             ("notes", protocol.notes)]  # fmt: skip
    texts += [("answers to the blinding question", group) for group in protocol.blinding_groups]
    texts += [(f"text {name} of the readers' pages", own) for name, own in protocol.texts.items()]
    texts += [("code of a reader", reader) for reader in readers]
    texts += [("windows", label_of(window)) for window in protocol.windows]
    for question in protocol.questions:
        whole = " | ".join((question.code, question.text, *question.anchors))
        texts.append((f"question {question.code}", whole))
    return texts


def told_cases(protocol: Protocol, built: BuiltStudy) -> Iterator[str]:
    """Sentences about rated images that feedback in the training would name."""
    if not protocol.feedback or not protocol.training or not built.items:
        return
    training = {item.id: item.training for item in built.items}
    for_training = {case for case, kept in training.items() if kept} - protocol.qualifying
    if not for_training:
        yield (
            "Feedback would say what rated images are: no case is kept for training, so that the "
            "training pairs show cases that are rated later. Build with cases for training "
            "(--training CASE), or switch off the feedback in the design."
        )
    rated = {one.pixel_sha256: one.item_id for one in built.stimuli if not training[one.item_id]}
    labels = {item.id: item.case_key for item in built.items}
    for one in built.stimuli:
        if one.item_id in for_training and one.pixel_sha256 in rated:
            yield (
                f"Feedback would say what a rated image is: the training case "
                f"{labels[one.item_id]} and the case {labels[rated[one.pixel_sha256]]} show the "
                "same image. Build without one of them."
            )
            return


def qualification_problems(protocol: Protocol, built: BuiltStudy) -> Iterator[str]:
    """Sentences about cases of the qualification that are not kept apart, or are gone."""
    again = "Build again, then declare it again (qualify, or the tab Freeze and open)."
    training = {item.id: item.training for item in built.items}
    labels = {item.id: item.case_key for item in built.items}
    methods = {method.id for method in built.compared}
    for case in sorted(protocol.qualifying):
        if case not in training:
            yield f"A case of the qualification is no longer among those built. {again}"
        elif not training[case]:
            yield (
                f"The case {labels[case]} of the qualification is read in the study too: build it "
                "as a case for training (--training CASE), which is in no analysis."
            )
    if any(one.method and one.method not in methods for one in protocol.qualification):
        yield f"A method of the qualification is no longer among those built. {again}"
    rated = {one.pixel_sha256 for one in built.stimuli if not training[one.item_id]}
    same = {
        labels[one.item_id]
        for one in built.stimuli
        if one.item_id in protocol.qualifying and one.pixel_sha256 in rated
    }
    if same:
        yield (
            f"Images of {', '.join(sorted(same))}, of the qualification, are rated in the study "
            "too: build with other cases for the qualification."
        )


def primary_problems(protocol: Protocol) -> Iterator[str]:
    """A sentence where several questions are marked as primary, of which one would count."""
    marked = [one.code for one in protocol.questions if one.primary]
    if len(marked) > 1:
        yield (
            f"{plural(len(marked), 'question')} are marked as primary: {', '.join(marked)}. The "
            "primary comparison is about one: mark that one alone."
        )


def unknown_groups(protocol: Protocol, key: Key) -> Iterator[str]:
    """Sentences about methods whose group is not an answer to the blinding question."""
    for method in key.methods.values():
        if protocol.ask_blinding and method.group not in ("", *protocol.blinding_groups):
            yield (
                f"{method.name} is in the group {method.group!r}, which is no longer among the "
                f"answers to the blinding question ({', '.join(protocol.blinding_groups)}): build "
                "again."
            )


def original_problems(protocol: Protocol, key: Key, built: BuiltStudy) -> Iterator[str]:
    """Sentences about unenhanced images that are missing, unused, or among those compared."""
    if protocol.show_original != bool(built.originals) and built.items:
        yield (
            "The design shows the unenhanced image beside the others, and none was built: build "
            "with it (--original NAME, or the tab Images), or switch that off in the design."
            if protocol.show_original
            else "Unenhanced images were built to be shown beside the others, and the design does "
            "not show them: switch show_original on, or build without --original."
        )
        return
    rated = {item.id for item in built.items if not item.training}
    same = _same_as_original(built)
    for method in built.compared if built.originals else ():
        named = key.methods[method.id]
        unprocessed = method.kind == MethodKind.TEST and named.group == UNPROCESSED
        if unprocessed or set() < rated <= same.get(method.id, set()):
            yield (
                f"Readers would know the images of {named.name!r}, which are not processed, by "
                "the unenhanced image beside them: build without that method, or do not show the "
                "unenhanced image."
            )


def original_notes(built: BuiltStudy) -> Iterator[str]:
    """A sentence about cases in which a compared image is the unenhanced one."""
    rated = {item.id for item in built.items if not item.training}
    if found := set().union(*_same_as_original(built).values()) & rated:
        yield (
            f"In {plural(len(found), 'case')} a method left the image as it was: readers may see "
            "that it equals the unenhanced image beside it."
        )


def window_notes(protocol: Protocol, built: BuiltStudy) -> Iterator[str]:
    """A sentence about cases that cannot be shown in the windows of the protocol."""
    cases = [json.loads(item.window_json) for item in built.items]
    if without := sum(not fits(case, protocol.windows) for case in cases):
        yield (
            f"{plural(without, 'case')} cannot be shown in all of the windows: the files state "
            "other units, or lack most of the values. The other windows are offered, or the full "
            "range."
        )


def _same_as_original(built: BuiltStudy) -> dict[str, set[str]]:
    """The cases in which a compared image is the unenhanced one, by method."""
    originals, found = built.originals, dict[str, set[str]]()
    compared = {method.id for method in built.compared}
    for one in built.stimuli:
        if one.method_id in compared and originals.get(one.item_id) == one.pixel_sha256:
            found.setdefault(one.method_id, set()).add(one.item_id)
    return found


def inference_notes(protocol: Protocol, built: BuiltStudy) -> Iterator[str]:
    """Sentences about the primary comparison and the numbers of what is random."""
    pairs = method_pairs(protocol, built.kinds)
    if protocol.primary_question is None or (len(pairs) > 1 and not protocol.primary_pair):
        yield (
            "No primary comparison is declared: every result will be secondary. Declare one "
            "(--primary, or the page of the design), on a question that is marked as primary."
        )
    patients = len({case.patient for case in built.cases if not case.training})
    yield from small_samples(protocol.random, protocol.readers, patients)
