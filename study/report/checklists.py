"""Reporting checklists, filled from the study's own data, with what only the authors can state.

Items are in this program's words; the guidelines have theirs.

References
----------
J. Kottner et al., "Guidelines for reporting reliability and agreement studies (GRRAS) were
proposed", Journal of Clinical Epidemiology 64(1), 2011.
A. S. Tejani et al., "Checklist for artificial intelligence in medical imaging (CLAIM): 2024
update", Radiology: Artificial Intelligence 6(4), 2024.
V. Sounderajah et al., "The STARD-AI reporting guideline for diagnostic accuracy studies using
artificial intelligence", Nature Medicine 31, 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.domain.formatting import DASH
from study.report.cells import Cell, Row, Table
from study.report.checklist_facts import facts
from study.report.context import ReportContext, Section

AUTHORS = "To be stated by the authors"
NO_TRUTH = "not assessed: the study has no truth of its cases"


@dataclass(frozen=True)
class Item:
    """An item of a checklist.

    Parameters
    ----------
    number : str
    what : str
        What to report, in our words.
    facts : tuple of str
        Keys of the sentences that answer it.
    gap : str
        What the data cannot say; empty where they say everything.
    """

    number: str
    what: str
    facts: tuple[str, ...] = ()
    gap: str = ""


@dataclass(frozen=True)
class Checklist:
    """A checklist with its items in order."""

    name: str
    year: int
    items: tuple[Item, ...]


def _items(*rows: tuple[str, str, str, str]) -> tuple[Item, ...]:
    return tuple(Item(number, what, tuple(keys.split()), gap) for number, what, keys, gap in rows)


GRRAS = Checklist("GRRAS", 2011, _items(
    ("1", "Title or abstract says that reliability or agreement was studied", "title",
     "wording of title and abstract"),
    ("2", "Name and description of the measurement", "questions methods", ""),
    ("3", "Subjects of interest", "cases", "population that the cases stand for"),
    ("4", "Raters of interest", "readers expertise", "population that the readers stand for"),
    ("5", "What is known of reliability and agreement, reason for the study", "", "background"),
    ("6", "Choice of the numbers of subjects, raters and repeats", "cases readers repeats",
     "reason for these numbers"),
    ("7", "Sampling of subjects and raters", "", "how cases and readers were chosen"),
    ("8", "Rating process: interval, information given, blinding",
     "process blinding time displays", "clinical information given to readers"),
    ("9", "Independence of the ratings", "independence", ""),
    ("10", "Statistical analysis", "statistics clusters", ""),
    ("11", "Actual numbers of raters, subjects and ratings", "readers cases numbers missing", ""),
    ("12", "Characteristics of raters and subjects", "expertise cases", "characteristics of the "
     "patients"),
    ("13", "Estimates of reliability and agreement with their uncertainty", "agreement intra", ""),
    ("14", "Practical relevance of the results", "", "discussion"),
    ("15", "Detailed results", "exports", "where they are deposited"),
))  # fmt: skip

CLAIM = Checklist("CLAIM", 2024, _items(
    ("1", "Title names the AI methods", "title", "wording of the title"),
    ("2", "Abstract sums up design, methods, results", "", "abstract"),
    ("3", "Background and intended use of the AI", "", "background"),
    ("4", "Aims and hypotheses", "goal", "reason for them"),
    ("5", "Prospective or retrospective", "prospective", "how the images were collected"),
    ("6", "Goal of the study", "goal", ""),
    ("7", "Sources of the data", "cases", "where the images come from"),
    ("8", "Inclusion and exclusion criteria", "excluded", "criteria for choosing cases"),
    ("9", "Preprocessing", "rendering", "steps before the images came into the study"),
    ("10", "Selection of parts of the data", "cases", "how slices or regions were chosen"),
    ("11", "De-identification", "metadata", "how the source images were de-identified"),
    ("12", "Missing data", "missing", ""),
    ("13", "Image acquisition", "cases", "scanners and protocols"),
    ("14", "Definition of the reference standard", "truth", "how the truth was established"),
    ("15", "Reason for the reference standard", "", "reason"),
    ("16", "Source of annotations, qualification of annotators", "readers expertise process",
     "how the readers were recruited"),
    ("17", "Annotation of the test set", "questions process displays", ""),
    ("18", "Variability between and within raters", "agreement intra", ""),
    ("19", "Assignment of data to partitions", "cases", "data the methods were trained on"),
    ("20", "Level at which partitions are disjoint", "clusters", "disjointness from training data"),
    ("21", "Intended sample size", "numbers", "reason for the sample size"),
    ("22", "Description of the models", "methods", "architectures"),
    ("23", "Software", "software", "software of the methods"),
    ("24", "Initialisation of parameters", "", "for each trained method"),
    ("25", "Training", "", "for each trained method"),
    ("26", "Choice of the final model", "", "for each trained method"),
    ("27", "Ensembles", "", "for each trained method"),
    ("28", "Measures of performance", "questions", "reason for them"),
    ("29", "Significance and uncertainty", "statistics clusters", ""),
    ("30", "Robustness and sensitivity analyses", "sensitivity", ""),
    ("31", "Explainability", "", "where it was studied"),
    ("32", "Evaluation on internal data", "", "whether these data are internal"),
    ("33", "Testing on external data", "", "whether these data are external"),
    ("34", "Registration", "protocol", "registry and number"),
    ("35", "Numbers included and excluded", "cases excluded numbers", "flow before the study"),
    ("36", "Characteristics of the cases in each partition", "cases", "demography and clinical "
     "findings"),
    ("37", "Performance with its uncertainty", "primary estimates", ""),
    ("38", "Diagnostic performance with its precision", "accuracy", ""),
    ("39", "Analysis of failures", "", "cases in which methods failed"),
    ("40", "Limitations", "", "discussion"),
    ("41", "Implications for practice", "", "discussion"),
    ("42", "Access to the protocol", "protocol", "where it can be read"),
    ("43", "Availability of software, models and data", "exports software", "where they are"),
    ("44", "Funding", "", "sources and their role"),
))  # fmt: skip

STARD_AI = Checklist("STARD-AI", 2025, _items(
    ("1", "Title names AI, diagnostic accuracy and its measure", "title", "wording of the title"),
    ("2", "Structured abstract", "", "abstract"),
    ("3", "Background, intended use, novelty and place in the workflow", "", "background"),
    ("4", "Objectives and hypotheses", "goal", ""),
    ("5", "Prospective or retrospective", "prospective", "how the images were collected"),
    ("6", "Ethics approval", "", "committee and number"),
    ("7", "Eligibility of participants and data", "excluded", "criteria"),
    ("8", "How participants were identified", "", "basis"),
    ("9", "Setting, places and dates", "dates", "of the images"),
    ("10", "Consecutive, random or convenience series", "", "kind of series"),
    ("11", "Source of the data", "cases", "where the images come from"),
    ("12", "Annotation of the data, by whom and how", "readers expertise questions", "annotations "
     "made before the study"),
    ("13", "Devices that captured the data, software of the index test", "software", "scanners, "
     "software of the methods"),
    ("14", "Acquisition and preprocessing", "rendering", "acquisition"),
    ("15a", "Index test, to be repeated", "methods process", "details of the methods"),
    ("15b", "Development of the index test and its data", "", "training, validation, test data"),
    ("15c", "Cut-offs of the index test", "questions cutoff", "cut-offs, and whether prespecified"),
    ("15d", "Users of the index test and their expertise", "expertise", ""),
    ("16a", "Reference standard, to be repeated", "truth", "how the truth was established"),
    ("16b", "Reason for the reference standard", "", "reason"),
    ("16c", "Cut-offs of the reference standard", "", "cut-offs"),
    ("17a", "What readers of the index test knew", "blinding", "clinical information given"),
    ("17b", "What assessors of the reference standard knew", "", "their blinding"),
    ("18", "Methods for estimating and comparing accuracy", "statistics", ""),
    ("19", "Indeterminate results", "indeterminate", ""),
    ("20", "Missing data", "missing", ""),
    ("21", "Analyses of variability in accuracy", "agreement intra sensitivity", "prespecified or "
     "not"),
    ("22", "Intended sample size", "numbers", "reason for the sample size"),
    ("23", "How errors, bias and fairness were assessed", "", "groups that were compared"),
    ("24", "Flow of participants", "cases excluded numbers", "flow before the study"),
    ("25", "Characteristics of participants in each data set", "cases", "demography"),
    ("26a", "Severity of the disease in positive cases", "", "severity"),
    ("26b", "Other diagnoses in negative cases", "", "diagnoses"),
    ("27", "Time between index test and reference standard, interventions", "", "interval"),
    ("28", "Whether the test set stands for the intended population", "", "comparison"),
    ("29", "External evaluation and how it differs", "", "whether these data are external"),
    ("30", "Index test against reference standard", "truth cutoff accuracy", "cross tabulation at "
     "a cut-off"),
    ("31", "Accuracy with its precision", "accuracy", ""),
    ("32", "Adverse events", "", "of index test and reference standard"),
    ("33", "Limitations, bias, generalisability", "", "discussion"),
    ("34", "Implications for practice", "", "discussion"),
    ("35", "Ethics and fairness of the use of the index test", "", "discussion"),
    ("36", "Registration", "protocol", "registry and number"),
    ("37", "Access to the protocol", "protocol", "where it can be read"),
    ("38", "Funding", "", "sources and their role"),
    ("39", "Commercial interests", "", "of authors and funders"),
    ("40a", "Availability of data and code", "exports software", "where they are"),
    ("40b", "Auditability of outputs", "exports", "access for auditors"),
))  # fmt: skip
CHECKLISTS = (GRRAS, CLAIM, STARD_AI)


def checklists(context: ReportContext) -> Section:
    """A table of each checklist, with the number of items that are left to the authors."""
    found = facts(context)
    tables = [_table(one, found) for one in CHECKLISTS]
    values = {"tables": tables, "truth": bool(found["truth"]), "no_truth": NO_TRUTH}
    return Section("checklists", "Reporting checklists", "checklists.html", values)


def _table(checklist: Checklist, found: Mapping[str, str]) -> Table:
    rows = [_row(item, found) for item in checklist.items]
    whole = sum(row[3] == DASH for row in rows)
    part = sum(row[3] != DASH and row[2] != DASH for row in rows)
    left = len(rows) - whole - part
    caption = (
        f"{checklist.name} {checklist.year}, {len(rows)} items: {whole} answered by this report, "
        f"{part} in part, {left} left to the authors."
    )
    head = ("Item", "What to report", "From this study", AUTHORS)
    return Table(caption, head, rows, text_columns=(0, 1, 2, 3))


def _row(item: Item, found: Mapping[str, str]) -> Row:
    said = " ".join(sentence for key in item.facts if (sentence := found[key]))
    return (item.number, item.what, said or DASH, _gap(item, said, found))


def _gap(item: Item, said: str, found: Mapping[str, str]) -> Cell | str:
    """What is missing; a fact that the data do not have is a gap as well."""
    lacking = [NO_TRUTH for key in item.facts if key == "accuracy" and not found["truth"]]
    stated = found["cutoff"] and "cutoff" in item.facts
    unsaid: Sequence[str] = [item.gap] if item.gap and not stated else []
    if not said and not unsaid and not lacking:
        unsaid = ["not in the data of this study"]
    gaps = [*unsaid, *lacking]
    return Cell("; ".join(gaps).capitalize(), flag="", undefined=True) if gaps else DASH
