"""The tables of an export, with the description of every column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter

from study.analysis.dataset import MISSING, Dataset, Observation
from study.analysis.records import DO_NOT_KNOW, UNDONE
from study.domain.question_kinds import IMAGE_SLOTS, LEFT, PAIR, RIGHT
from study.domain.terms import Role
from study.report.overview import answer_words

SIDES = {LEFT: "left", RIGHT: "right", PAIR: "pair"}
Cell = str | int | float | bool | None
_AT_ONCE = 1000
"""Rows that are held at a time."""


@dataclass(frozen=True)
class Column:
    """A column of a table, with its description in the codebook.

    Parameters
    ----------
    name : str
    type : str
        text, integer, number, or time.
    meaning : str
    values : str
        The possible values, where they can be listed.
    attribute : str
        The record's attribute of its values, if not called like the column.
    unit : str
    missing : str
        What an empty cell means; the column has none without it.
    """

    name: str
    type: str
    meaning: str
    values: str = ""
    attribute: str = ""
    unit: str = ""
    missing: str = ""


@dataclass(frozen=True)
class ExportTable:
    """A table of the export.

    Parameters
    ----------
    file : str
    columns : tuple of Column
    parts : callable
        An iterator over the columns of some rows at a time, made again by each call: there may be
        a million rows.
    """

    file: str
    columns: tuple[Column, ...]
    parts: Callable[[], Iterable[Sequence[Sequence[Cell]]]]

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """The table row by row."""
        return chain.from_iterable(zip(*part, strict=True) for part in self.parts())


def in_parts(
    rows: Iterable[Sequence[Cell]], size: int = _AT_ONCE
) -> Iterator[list[tuple[Cell, ...]]]:
    """The columns of some rows at a time."""
    left = iter(rows)
    while part := list(islice(left, size)):
        yield list(zip(*part, strict=True))


def tables(data: Dataset) -> tuple[ExportTable, ...]:
    """All tables except the codebook, of data whose observations are in the order shown."""
    return (
        _ratings(data), _methods(data), _readers(data), _cases(data), _guesses(data),
        _comments(data), _displays(data), _events(data), _exclusions(data),
        *((_attempts(data),) if data.protocol.qualification else ()),
        *((_versions(data),) if data.versions else ()),
    )  # fmt: skip


def _ratings(data: Dataset) -> ExportTable:
    codes = ", ".join(question.code for question in data.protocol.questions)
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("case", "text", "Random label of the case."),
        Column("patient", "text", "Random label of the patient, the cluster of the bootstrap."),
        Column("session", "integer", "0 training, 1 main, then repeats after a washout; of a "
               "crossover 1, 2, ... by method."),
        Column("position", "integer", "Position in the session."),
        Column("pair", "text", "Label of the pair in the reader's plan."),
        Column("role", "text", "Why the pair was shown.", ", ".join(Role)),
        Column("repeat_of", "text", "For a repeat: the label of the repeated pair.",
               missing="no repeat"),
        Column("question", "text", "Code of the question.", codes),
        Column("side", "text", "The rated image, or the pair; a single image is left. Of a ranking "
               "the number of the image.", "left, right, pair, 1 to 6"),
        Column("left", "text", "Method on the left, or of the single image; image 1 of a ranking."),
        Column("right", "text", "Method on the right; image 2 of a ranking.",
               missing="a single image was shown"),
        Column("method", "text", "Method that was rated.", missing="the answer is about the pair"),
        Column("value", "number", "The answer, or what is measured on it.", _scales(data),
               unit="the unit of the column unit",
               missing="no answer, for the reason in the column missing, or no number"),
        Column("missing", "text", "Reason for a missing value.", ", ".join(MISSING),
               missing="there is an answer"),
        Column("counts_for_kappa", "integer",
               "1: the first main rating of reader, case and method.", "0, 1"),
        Column("revision", "integer", "0: no answer, 1: first answer, higher: corrected."),
        Column("seconds", "number", "Time that the pair was visible.", unit="s",
               missing="no answer"),
        Column("answered_at", "time", "Time of storage, UTC, ISO 8601.", missing="no answer"),
        Column("excluded", "text", "Code of the rule that excludes the row from all analyses.",
               missing="not excluded"),
        Column("unit", "text", "Unit of a measured value; px: the spacing of pixels is unknown.",
               missing="the value has no unit"),
        Column("answer", "text", "The answer as JSON, where it is no point of a scale: a text, a "
               "number, or points [x, y] in pixels of the image, x from its left edge and y from "
               "its upper edge, in the order drawn; slice is that of a stack, from 1.",
               missing="no answer, or a point of a scale"),
        Column("others", "text", "Methods of images 3 to 6 of a ranking, separated by spaces.",
               missing="no ranking"),
        Column("protocol_version", "integer", "Number of the version of the protocol that the "
               "answer was given under; 1 is the frozen one.", missing="no answer"),
        *([Column("method_name", "text", "Name of the method.",
                  missing="the answer is about the pair")] if data.unblinded else []),
    )  # fmt: skip
    return ExportTable("ratings.csv", columns, lambda: _ratings_of(data))


def _ratings_of(data: Dataset) -> Iterator[Sequence[Sequence[Cell]]]:
    """The columns of observations, which are in the order shown."""
    names, firsts = {one.mask: one.name for one in data.methods}, _first(data.observations)
    for start in range(0, len(data.observations), _AT_ONCE):
        part = data.observations[start : start + _AT_ONCE]
        column = dict(zip(Observation._fields, zip(*part, strict=True), strict=True))
        methods, first = zip(*islice(firsts, len(part)), strict=True)
        revisions = column["revision"]
        yield [
            column["reader"], column["case"], column["patient"], column["session"],
            column["position"], column["pair"], column["role"], column["repeat_of"],
            column["question"], list(map(_side, column["side"], column["others"])),
            column["left"], column["right"], methods, list(map(_number, column["value"])),
            column["missing"], first, revisions, column["seconds"], column["at"],
            column["excluded"], column["unit"], column["answer"],
            list(map(" ".join, column["others"])),
            [version if revision else None
             for version, revision in zip(column["version"], revisions, strict=True)],
            *([[names.get(one, "") for one in methods]] if data.unblinded else []),
        ]  # fmt: skip


def _first(observations: Sequence[Observation]) -> Iterator[tuple[str, int]]:
    """The method of each, and 1 for the first main rating of reader, case and method."""
    reader, rated, main = "", set[tuple[str, str, str]](), Role.MAIN
    for obs in observations:
        if obs.reader != reader:
            reader, rated = obs.reader, set()
        first, method = 0, obs.method
        if obs.role is main and not obs.excluded and method:
            key = (obs.question, obs.case, method)
            first = int(key not in rated)
            rated.add(key)
        yield method, first


def _side(side: int, others: Sequence[str]) -> str:
    return str(IMAGE_SLOTS.index(side) + 1) if others and side != PAIR else SIDES[side]


def _number(value: float | None) -> Cell:
    """A value as it is written: whole numbers without a decimal point."""
    return int(value) if type(value) is float and value == int(value) else value


def _scales(data: Dataset) -> str:
    return "; ".join(f"{one.code}: {answer_words(one)}" for one in data.protocol.questions)


def _methods(data: Dataset) -> ExportTable:
    columns: tuple[Column, ...] = (
        Column("method", "text", "The code in the other tables."),
        Column("kind", "text", "Role of its images.", "test, reference, anchor"),
    )
    rows: list[tuple[Cell, ...]] = [(one.mask, one.kind.value) for one in data.methods]
    if data.unblinded:
        columns += (
            Column("name", "text", "From the key file."),
            Column(
                "group",
                "text",
                "Correct answer to the blinding question.",
                missing="the method has no group",
            ),
            Column("parameters", "text", "How its images were made.", missing="unknown"),
        )
        rows = [
            (
                *row,
                one.name,
                one.group,
                "; ".join(f"{name}={value}" for name, value in one.parameters),
            )
            for row, one in zip(rows, data.methods, strict=True)
        ]
    return ExportTable("methods.csv", columns, lambda: in_parts(rows))


def _readers(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader.", attribute="code"),
        Column("state", "text", "Whether the reader is analysed.",
               "included, withdrawn, excluded, never joined, not qualified"),
        Column("specialty", "text", "As answered by the reader.", missing="no answer"),
        Column("experience_years", "integer", "As answered by the reader.", unit="years",
               missing="no answer"),
        Column("simulated", "integer", "1: a program, not a person.", "0, 1"),
        Column("display_check", "text", "Check of the screen.", "passed, failed, not done"),
        Column("planned", "integer", "Number of planned main pairs."),
        Column("read", "integer", "Number of answered main pairs."),
        Column("corrections", "integer", "Number of pairs corrected with a reason."),
        Column("started_at", "time", "Start of the first session, UTC.", missing="not started"),
        Column("finished_at", "time", "End of the last finished session, UTC.",
               missing="none is finished"),
        Column("replaces", "text", "Code of the reader whose plan was taken over.", missing="none"),
        Column("replaced_by", "text", "Code of the reader who took over the plan.", missing="none"),
    )  # fmt: skip
    return _of_records("readers.csv", columns, data.readers)


def _cases(data: Dataset) -> ExportTable:
    columns = (
        Column("case", "text", "Random label of the case; its name is in the key file."),
        Column("patient", "text", "Random label of the patient."),
        Column("modality", "text", "DICOM code of the modality.", missing="unknown"),
        Column("training", "integer", "1: for training and warm-up only.", "0, 1"),
        Column("truth", "text", "Whether the case has what readers look for; after unblinding.",
               "yes, no", missing="unknown, or methods are masked"),
        Column("slices", "integer", "Number of slices that readers scroll through; 1: a single "
               "image."),
    )  # fmt: skip
    return _of_records("cases.csv", columns, data.cases)


def _guesses(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("method", "text", "Method of the image that was shown."),
        Column("guess", "text", "Answer to the blinding question.",
               ", ".join((*data.protocol.blinding_groups, DO_NOT_KNOW))),
        *([Column("group", "text", "Correct answer.",
                  missing="the method has no group")] if data.unblinded else []),
    )  # fmt: skip
    groups = {one.mask: one.group for one in data.methods}
    rows: list[tuple[Cell, ...]] = []
    for one in data.guesses:
        extra = (groups.get(one.method, ""),) if data.unblinded else ()
        rows.append((one.reader, one.method, one.guess, *extra))
    return ExportTable("guesses.csv", columns, lambda: in_parts(rows))


def _comments(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("pair", "text", "Label of the pair in the reader's plan."),
        Column("comment", "text", "Free text of the reader.", attribute="text"),
        Column("written_at", "time", "Time of storage, UTC.", attribute="at"),
    )
    return _of_records("comments.csv", columns, data.comments)


def _displays(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("checked_at", "time", "Time of the check, UTC.", attribute="at"),
        Column("passed", "integer", "1: everything was seen, in a dim room.", "0, 1"),
        Column("patches_seen", "integer", "Number of gray patches whose squares were seen."),
        Column("patches", "integer", "Number of gray patches that were shown."),
        Column("ends_seen", "integer", "1: 5 % on black and 95 % on white were seen.", "0, 1"),
        Column("dim_room", "integer", "1: the reader says that the room is dim.", "0, 1"),
        Column("carry_on", "integer", "1: went on although something was not seen.", "0, 1"),
        Column("width", "integer", "Width of the window.", unit="CSS pixels"),
        Column("height", "integer", "Height of the window.", unit="CSS pixels"),
        Column("screen_width", "integer", "Width of the screen.", unit="CSS pixels"),
        Column("screen_height", "integer", "Height of the screen.", unit="CSS pixels"),
        Column("colour_depth", "integer", "Bits of a pixel that the browser reports.", unit="bit"),
        Column("ratio", "number", "Device pixels of a CSS pixel."),
        Column(
            "device", "text", "Label of the computer and browser, random.", missing="not recorded"
        ),
    )
    return _of_records("displays.csv", columns, data.displays)


def _events(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("pair", "text", "Label of the pair in the reader's plan."),
        Column("at_ms", "integer", "Time that the pair had been visible.", unit="ms"),
        Column("kind", "text", "What the reader did.",
               "window, zoom, pan, scroll, reset, flicker, pause"),
        Column("payload", "text", "Its values, as the page reports them; of scroll the slice, "
               "from 1.", missing="none"),
    )  # fmt: skip
    return _of_records("events.csv", columns, data.events)


def _exclusions(data: Dataset) -> ExportTable:
    columns = (
        Column("target", "text", "Code of the reader or the case."),
        Column("kind", "text", "What is excluded.", "reader, case"),
        Column("rule", "text", f"Code of the rule; {UNDONE}: undoes the exclusion before it."),
        Column("prespecified", "integer", "1: fixed before the first rating.", "0, 1"),
        Column("reason", "text", "Why."),
        Column("decided_by", "text", "Who decided."),
        Column("decided_at", "time", "Time of the decision, UTC."),
    )
    return _of_records("exclusions.csv", columns, data.exclusions)


def _attempts(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("attempt", "integer", "Number of the attempt at the qualification."),
        Column("correct", "integer", "Number of right answers."),
        Column("asked", "integer", "Number of answers with a known right one."),
        Column("passed", "integer", "1: the reader has qualified.", "0, 1"),
        Column("ended_at", "time", "Time of the result, UTC.", attribute="at"),
    )
    records = [one for reader in data.readers for one in reader.attempts]
    return _of_records("qualification.csv", columns, records)


def _versions(data: Dataset) -> ExportTable:
    columns = (
        Column("version", "integer", "Number of the version of the protocol; 1 is the frozen one.",
               attribute="number"),
        Column("valid_from", "time", "Time of the freeze or the amendment, UTC.", attribute="at"),
        Column("changes", "text", "What differs from the version before.",
               missing="the frozen protocol"),
        Column("reason", "text", "Why it was amended.", missing="the frozen protocol"),
        Column("decided_by", "text", "Who decided.", missing="the frozen protocol"),
        Column("sha256", "text", "SHA-256 of the protocol."),
    )  # fmt: skip
    return _of_records("protocol_versions.csv", columns, data.versions)


def _of_records(file: str, columns: tuple[Column, ...], records: Sequence[object]) -> ExportTable:
    values = attrgetter(*(column.attribute or column.name for column in columns))
    return ExportTable(file, columns, lambda: in_parts(map(values, records)))
