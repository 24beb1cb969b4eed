"""The first sections: labels, dates, main results, the frozen protocol and the readers."""

from __future__ import annotations

from collections import Counter

from study.analysis.comparison import family_pairs
from study.analysis.measures import MeasureSummary
from study.analysis.records import (
    EXCLUDED,
    INCLUDED,
    NEVER_JOINED,
    NOT_QUALIFIED,
    WITHDRAWN,
    ReaderRecord,
)
from study.domain.drawings import ELLIPSE
from study.domain.formatting import DASH, date_time, decimal, percent, plural
from study.domain.qualification import presentations
from study.domain.question_kinds import KINDS as KINDS_OF_QUESTIONS
from study.domain.questions import Question, QuestionKind
from study.domain.terms import MethodKind, Role
from study.report.cells import (
    Cell,
    Content,
    Row,
    Table,
    share_with_interval,
    with_bootstrap,
    with_interval,
)
from study.report.context import ReportContext, Section
from study.stats.summary import RatingSummary

KINDS = {
    MethodKind.TEST: "under\u00a0test",
    MethodKind.REFERENCE: "hidden\u00a0reference",
    MethodKind.ANCHOR: "degraded\u00a0anchor",
}
STATES = {
    INCLUDED: "included",
    EXCLUDED: "excluded",
    WITHDRAWN: "withdrew consent",
    NEVER_JOINED: "never joined",
    NOT_QUALIFIED: "did not qualify",
}
ROLES = {
    Role.TRAINING: "training {}",
    Role.DUMMY: "warm-up {}",
    Role.MAIN: "main {}",
    Role.REPEAT: "hidden repeat",
    Role.NULL: "identical pair",
}


def labels(context: ReportContext) -> list[str]:
    """Warnings next to the title: simulated readers, demonstration, masked or named methods."""
    data = context.data
    found = []
    simulated = sum(reader.simulated for reader in data.readers)
    if simulated:
        found.append(f"{simulated} of {plural(len(data.readers), 'reader')} simulated")
    if data.protocol.demo:
        found.append("Demonstration, not a study")
    return [*found, "Unblinded: methods named" if data.unblinded else "Methods masked"]


def dates(context: ReportContext) -> list[str]:
    """The recorded dates of the study's life cycle."""
    study = context.data.study
    recorded = {
        "Frozen": study.frozen_at,
        "Opened": study.opened_at,
        "Closed": study.closed_at,
        "Unblinded": study.unblinded_at,
    }
    return [f"{name} {date_time(when)}" for name, when in recorded.items() if when]


def summary(context: ReportContext) -> Section:
    """Counts, and the main results of every method."""
    readers = [one for one in context.data.readers if one.state == INCLUDED]
    mains = context.main_observations
    answered = sum(not one.missing for one in mains)
    patients = len({one.patient for one in mains})
    facts = (
        (len(readers), "reader" if len(readers) == 1 else "readers"),
        (len({one.case for one in mains}), f"cases of {plural(patients, 'patient')}"),
        (len(context.data.methods), "methods"),
        (
            sum(one.read for one in readers),
            f"of {sum(one.planned for one in readers)} {context.unit}s read",
        ),
        (answered, "answers"),
        (len(mains) - answered, "answers missing"),
    )
    values = {"facts": facts, "main_results": _main_results(context)}
    return Section("summary", "Summary", "summary.html", values)


def _main_results(context: ReportContext) -> Table:
    analysis = context.analysis
    head: list[str | tuple[str, str]] = ["Method", "Role"]
    for result in analysis.criteria:
        name = context.question_name(result.question) + (" (primary)" if result.primary else "")
        head += [(name, "mean (SD)"), (name, "Fleiss’ κ")]
    for measure in analysis.measures:
        name = context.question_name(measure.question) + (" (primary)" if measure.primary else "")
        unit = f", {measure.units[0]}" if measure.units[:1] > ("",) else ""
        head += [(name, f"mean (SD){unit}"), (name, "ICC(A,1)")]
    for categories in analysis.categories:
        name = context.question_name(categories.question)
        head.append((name + (" (primary)" if categories.primary else ""), "Fleiss’ κ"))
    rates = {}
    if analysis.preferences:
        head.append("Preferred, share of decided pairs")
        rates = {one.method: one.rate for one in analysis.preferences.methods}
    for ranking in analysis.rankings:
        name = context.question_name(ranking.question) + (" (primary)" if ranking.primary else "")
        head.append((name, "mean rank"))
    rows: list[Row] = []
    for place, method in enumerate(context.data.methods):
        row: list[Content] = [method.label, KINDS[method.kind]]
        for result in analysis.criteria:
            scores, agreement = result.summaries[place].scores, result.agreement[place]
            row += [mean_sd(scores), with_bootstrap(agreement.fleiss)]
        for measure in analysis.measures:
            _, between = measure.reliability[place]
            row += [mean_sd(measure.summaries[place]), with_interval(between.form("A,1"))]
        row += [with_bootstrap(one.agreement[place].kappa) for one in analysis.categories]
        if analysis.preferences:
            rate = rates.get(method.mask)
            row.append(share_with_interval(rate) if rate else DASH)
        row += [with_interval(one.summaries[place].mean) for one in analysis.rankings]
        rows.append(row)
    caption = (
        f"Every method. Each κ with its {context.level} interval for random {context.random} "
        "(bootstrap, t)"
        + (
            "; preferences with Wilson’s interval, which takes answers as independent."
            if analysis.preferences
            else "."
        )
    )
    return Table(caption, head, rows, text_columns=(0, 1))


def mean_sd(scores: RatingSummary | MeasureSummary) -> str:
    """A mean with its standard deviation."""
    return DASH if scores.mean is None else f"{decimal(scores.mean)} ({decimal(scores.sd)})"


def design(context: ReportContext) -> Section:
    """The protocol as it was frozen, with its hashes; after unblinding, the methods."""
    data, crossed = context.data, context.analysis.conduct.crossover
    values = {
        "study": data.study,
        "protocol": data.protocol,
        "one_pair": len(family_pairs(data)) == 1,
        "label": context.method,
        "questions": [(one.code, _question_words(one)) for one in data.protocol.questions],
        "pairs": pairs_of_each_role(context),
        "sessions": session_words(context),
        "unit": context.unit,
        "stacks": stack_words(context),
        "carry_over": crossed.balance.as_text() if crossed else "",
        "methods": _methods(context) if data.unblinded else None,
        "qualification": qualification_words(context),
        "versions": _versions(context) if data.versions else None,
    }
    return Section("design", "Design and protocol", "design.html", values)


def session_words(context: ReportContext) -> str:
    """Which sessions there were, and in which of them what was repeated, in sentences."""
    protocol, unit, sentences = context.data.protocol, context.unit, []
    if protocol.crossover:
        sentences.append(
            "Each method was read in a session by itself, at least "
            f"{protocol.washout_days:g} days after the one before, in an order from a Williams "
            "square."
        )
    if protocol.repeats and protocol.crossover:
        sentences.append("Repeats were shown in the session of their method.")
    elif protocol.repeats and protocol.washout_days:
        sentences.append(
            f"Repeats were shown in a second session at least {protocol.washout_days:g} days later."
        )
    elif protocol.repeats:
        sentences.append(
            f"Repeats were shown in the same session, at a distance from the {unit} they repeat."
        )
    for number, one in enumerate(protocol.repeat_sessions, 1):
        sentences.append(
            f"Session {protocol.planned_sessions + number} was added by an amendment: {one.words}; "
            f"its {unit}s were drawn from the same seed among those that were not repeated before, "
            "and are analysed with the other repeats."
        )
    return " ".join(sentences)


def stack_words(context: ReportContext) -> str:
    """How many slices the images that were read had, in a sentence; empty without stacks."""
    read = {one.case for one in context.main_observations}
    counts = [one.slices for one in context.data.cases if one.case in read]
    stacks = [count for count in counts if count > 1]
    if not stacks:
        return ""
    least, most = min(stacks), max(stacks)
    slices = plural(most, "slice") if least == most else f"{least} to {most} slices"
    of = "Images" if len(stacks) == len(counts) else f"Images of {plural(len(stacks), 'case')}"
    return f"{of} were stacks of {slices}; those that were shown together scrolled together."


def qualification_words(context: ReportContext) -> str:
    """The qualification and how many passed it, in sentences; empty where there was none."""
    protocol = context.data.protocol
    if not protocol.qualification:
        return ""
    shown = presentations(protocol.qualification, single=protocol.single)
    cases = len(protocol.qualifying)
    tried = [one for one in context.data.readers if one.attempts]
    passed = [one for one in tried if one.qualified]
    later = sum(len(one.attempts) > 1 for one in passed)
    again = f", {later} of them after more than one attempt" if later else ""
    return (
        f"Before the study each reader answered {plural(shown, context.unit)} of "
        f"{plural(cases, 'case')} with known answers, which no analysis includes; "
        f"{percent(protocol.pass_mark)} right answers qualified, in at most "
        f"{plural(protocol.attempts, 'attempt')} unless a coordinator allowed more. "
        f"{len(passed)} of {plural(len(tried), 'reader')} qualified{again}."
    )


def _versions(context: ReportContext) -> Table:
    """The versions of the protocol, with dates and reasons."""
    answered = Counter(obs.version for obs in context.data.observations if obs.revision)
    rows = [
        (
            str(one.number),
            date_time(one.at),
            one.changes or "as frozen",
            one.reason or DASH,
            one.decided_by or DASH,
            str(answered[one.number]),
            one.sha256[:16] + "…",
        )
        for one in context.data.versions
    ]
    return Table(
        "Versions of the protocol; every answer keeps the version under which it was given.",
        ("Version", "From", "Changes", "Reason", "Decided by", "Answers", "SHA-256"),
        rows,
        text_columns=(0, 1, 2, 3, 4, 6),
    )


def scale_points(question: Question) -> list[str]:
    """The points of a rating scale with their anchors, such as "1 poor"."""
    anchors = question.anchors or ("",) * len(question.scale)
    return [f"{point} {word}".strip() for point, word in zip(question.scale, anchors, strict=True)]


def answer_words(question: Question) -> str:
    """How a question is answered, such as "1 poor, 2 fair, 3 good"."""
    kind = KINDS_OF_QUESTIONS[question.kind]
    if kind.ends is None or (question.of_pair and question.anchors):
        return ", ".join(scale_points(question))
    words = kind.words
    if question.anchors and not question.of_pair:
        words += f" ({', '.join(question.anchors)})"
    if question.kind is QuestionKind.NUMBER:
        words += f" from {question.low:g} to {question.high:g} {question.unit}".rstrip()
    if question.kind is QuestionKind.REGION:
        words += f", drawn as {'an' if question.shape == ELLIPSE else 'a'} {question.shape}"
    return words


def _question_words(question: Question) -> str:
    words = [question.text]
    words.append(f"({answer_words(question)}; each {'pair' if question.of_pair else 'image'})")
    if question.truth:
        words.append("A confidence, to be held against the truth of the case.")
    if question.cannot_judge:
        words.append("“Cannot judge” was allowed.")
    if question.primary:
        words.append("Primary.")
    return " ".join(words)


def pairs_of_each_role(context: ReportContext) -> str:
    """Planned pairs of a reader by role, with the range over the readers."""
    planned = {(one.reader, one.role, one.pair) for one in context.data.observations}
    by_reader = Counter((reader, role) for reader, role, _ in planned)
    words = []
    for role, name in ROLES.items():
        numbers = {number for (_, of_role), number in by_reader.items() if of_role is role}
        if numbers:
            least, most = min(numbers), max(numbers)
            text = plural(most, name.format(context.unit))
            words.append(text if least == most else f"{least} to {text}")
    return ", ".join(words)


def _methods(context: ReportContext) -> Table:
    rows = []
    for method in context.data.methods:
        parameters = ", ".join(f"{name} {value}" for name, value in method.parameters)
        rows.append((method.label, KINDS[method.kind], method.group or DASH, parameters or DASH))
    return Table(
        "The methods behind the codes, from the key file.",
        ("Method", "Role", "Group in the blinding question", "How its images were made"),
        rows,
        text_columns=(0, 1, 2, 3),
    )


def _state(reader: ReaderRecord) -> str:
    words = [STATES[reader.state]]
    if reader.replaces:
        words.append(f"in place of {reader.replaces}")
    if reader.replaced_by:
        words.append(f"replaced by {reader.replaced_by}")
    return ", ".join(words)


def _qualified(reader: ReaderRecord) -> str:
    """What came of the attempts at the qualification."""
    if not reader.attempts:
        return DASH
    last = reader.attempts[-1]
    outcome = "passed" if last.passed else "not passed"
    return f"{outcome} at attempt {last.attempt}, {last.correct} of {last.asked} right"


def readers(context: ReportContext) -> Section:
    """The readers by code, with what they read and how long it took."""
    data = context.data
    conduct = {one.reader: one for one in context.analysis.conduct.readers}
    rows: list[Row] = []
    for one in data.readers:
        own = conduct.get(one.code)
        missing = {entry.reason: entry.count for entry in own.missing} if own else {}
        time: Content = DASH
        if own and own.seconds is not None:
            time = Cell(decimal(own.seconds, 0), f"({decimal(own.q1, 0)} to {decimal(own.q3, 0)})")
        rows.append(
            (
                f"{one.code} (simulated)" if one.simulated else one.code,
                _state(one),
                one.specialty or DASH,
                DASH if one.experience_years is None else str(one.experience_years),
                one.display_check,
                *((_qualified(one),) if data.protocol.qualification else ()),
                f"{one.read} of {one.planned}" if one.planned else DASH,
                str(missing.get("cannot judge", 0)) if own else DASH,
                str(one.corrections) if own else DASH,
                time,
            )
        )
    withdrawn = any(one.state == WITHDRAWN for one in data.readers)
    shown = f"{'an' if data.protocol.single else 'a'} {context.unit}"
    table = Table(
        f"Readers, by their codes. Time is how long {shown} was visible.",
        (
            "Reader", "State", "Specialty", "Years of experience", "Display check",
            *(("Qualification",) if data.protocol.qualification else ()),
            f"Main {context.unit}s read", "Cannot judge", f"Corrected {context.unit}s",
            f"Seconds per {context.unit}, median (quartiles)",
        ),
        rows,
        text_columns=(0, 1, 2, 4, *((5,) if data.protocol.qualification else ())),
        remark="Ratings of readers who withdrew their consent are in no analysis and in no export."
        if withdrawn
        else "",
    )  # fmt: skip
    return Section("readers", "Readers", "readers.html", {"readers": table})
