"""What a paper needs beside the tables: the statistics in words, references, checklist, hashes."""

from __future__ import annotations

from enhancers import __version__
from study.analysis.log import libraries
from study.analysis.records import INCLUDED
from study.domain.protocol import Role
from study.report.context import ReportContext, plural
from study.report.markup import (
    Content,
    Html,
    definitions,
    join,
    paragraph,
    section,
    table,
    tag,
)

REFERENCES = (
    "Bang H, Ni L, Davis CE. Assessment of blinding in clinical trials. Control Clin Trials "
    "2004;25:143–156.",
    "Bland JM, Altman DG. Measurement error. BMJ 1996;312:1654.",
    "Bradley RA, Terry ME. Rank analysis of incomplete block designs. Biometrika 1952;39:324–345.",
    "Cohen J. Weighted kappa: nominal scale agreement with provision for scaled disagreement or "
    "partial credit. Psychol Bull 1968;70:213–220.",
    "Davidson RR. On extending the Bradley–Terry model to accommodate ties in paired comparison "
    "experiments. J Am Stat Assoc 1970;65:317–328.",
    "Fleiss JL. Measuring nominal scale agreement among many raters. Psychol Bull 1971;76:378–382.",
    "Friedman M. The use of ranks to avoid the assumption of normality implicit in the analysis "
    "of variance. J Am Stat Assoc 1937;32:675–701.",
    "Gwet KL. Computing inter-rater reliability and its variance in the presence of high "
    "agreement. Br J Math Stat Psychol 2008;61:29–48.",
    "Gwet KL. Large-sample variance of Fleiss generalized kappa. Educ Psychol Meas "
    "2021;81:781–790.",
    "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65–70.",
    "James KE, Bloch DA, Lee KK, Kraemer HC, Fuller RK. An index for assessing blindness in a "
    "multi-centre clinical trial: disulfiram for alcohol cessation. Stat Med 1996;15:1421–1434.",
    "Kottner J, Audigé L, Brorson S, et al. Guidelines for reporting reliability and agreement "
    "studies (GRRAS) were proposed. J Clin Epidemiol 2011;64:96–106.",
    "Krippendorff K. Computing Krippendorff’s alpha-reliability. University of Pennsylvania, 2011.",
    "Light RJ. Measures of response agreement for qualitative data: some generalizations and "
    "alternatives. Psychol Bull 1971;76:365–377.",
    "McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. "
    "Psychol Methods 1996;1:30–46.",
    "Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol "
    "Bull 1979;86:420–428.",
    "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bull 1945;1:80–83.",
    "Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat "
    "Assoc 1927;22:209–212.",
)

CHECKLIST = (
    ("1", "Reliability or agreement named in title or abstract", ""),
    ("2", "Device or measurement described", "Design and protocol: questions and scales"),
    ("3", "Population of subjects", ""),
    ("4", "Population of raters", ""),
    ("5", "What is known, and why this study", ""),
    ("6", "Sample size: how chosen; raters, subjects, repeats", "Summary; the reason is missing"),
    ("7", "How subjects and raters were sampled", ""),
    ("8", "Rating process: intervals, information, blinding", "Design and protocol; Blinding"),
    ("9", "Independence of the ratings", "Design and protocol: a plan for each reader, no feedback "
     "on others"),
    ("10", "Statistical analysis", "Statistical methods"),
    ("11", "Actual numbers of raters, subjects and repeats", "Summary; Readers; Consistency"),
    ("12", "Characteristics of raters and subjects", "Readers; subjects are missing"),
    ("13", "Estimates with their uncertainty", "Agreement and Reliability of each criterion"),
    ("14", "Practical relevance", ""),
    ("15", "Detailed results", "This report and the exports"),
)  # fmt: skip
"""The items of GRRAS, and where this report answers them."""


def statistics(sheet: ReportContext) -> Html:
    """The methods paragraph, the references and the checklist."""
    rows: list[list[Content]] = [
        [item, what, where or tag("span", "to be written by the authors", class_="undefined")]
        for item, what, where in CHECKLIST
    ]
    return section(
        "statistics",
        "Statistical methods and how to cite them",
        paragraph("This text describes what was computed; it may be used in a paper as it is."),
        tag("blockquote", paragraph(_words(sheet))),
        tag("h3", "References"),
        tag("ol", *(tag("li", one) for one in REFERENCES), class_="references"),
        tag("h3", "Reporting checklist (GRRAS 2011)"),
        table(
            sheet.table("What this report answers, and what only the authors can."),
            ("Item", "What to report", "Where"),
            rows,
            words=(0, 1, 2),
        ),
    )


def _words(sheet: ReportContext) -> str:
    data, options = sheet.data, sheet.analysis.options
    mains = [seen for seen in data.observations if seen.role is Role.MAIN and not seen.excluded]
    readers = sum(one.state == INCLUDED for one in data.readers)
    cases = len({seen.case for seen in mains})
    patients = len({seen.patient for seen in mains})
    compared = next(
        (one.comparison.comparisons for one in sheet.analysis.criteria
         if one.comparison.comparisons), None
    )  # fmt: skip
    family = (
        f" (family: {compared.family.description}; α = {compared.family.alpha:g})"
        if compared
        else ""
    )
    preferences = (
        " Preferences are given with Wilson’s intervals and, over all methods, as strengths in the "
        "model of Bradley and Terry with Davidson’s ties."
        if sheet.analysis.preferences
        else ""
    )
    return (
        f"{plural(readers, 'reader')} compared {plural(len(data.methods), 'method')} on "
        f"{plural(cases, 'case')} of {plural(patients, 'patient')}, in blinded pairs with "
        "randomised sides and order. A method was shown once in each pair it belonged to; the "
        "first main rating of each reader, case and method was analysed, and missing ratings were "
        "not replaced. Agreement was quantified by Fleiss’ κ with Gwet’s standard error and t "
        "intervals, by quadratic-weighted Fleiss’ κ, Gwet’s AC1 and AC2 and Krippendorff’s ordinal "
        "α, and reliability by intraclass correlations with F intervals. A bootstrap of "
        f"{options.resamples} samples of whole patients (seed {options.seed}) gave second "
        "intervals. Methods were compared on case means over the readers who rated both, by paired "
        "t and Wilcoxon signed-rank tests with p values corrected by Bonferroni and by Holm"
        f"{family}, and by Friedman’s test.{preferences} Hidden repeats gave the readers’ own "
        "consistency (quadratic κ, ICC(A,1), SEM, MDC95). Statistics that the data leave undefined "
        f"are reported as such. Intervals are at {sheet.level}. Computed with Reading Room "
        f"{__version__}."
    )


def reproducibility(sheet: ReportContext) -> Html:
    """All that is needed to compute this report again."""
    analysis = sheet.analysis
    versions = libraries()
    entries: list[tuple[Content, Content]] = [
        ("Data, SHA-256", tag("code", analysis.data_sha256)),
        ("Protocol, SHA-256", tag("code", analysis.protocol_sha256)),
        ("Bootstrap", f"seed {analysis.options.seed}, {analysis.options.resamples} samples"),
        ("Confidence level", sheet.level),
        ("Study made with", f"Reading Room {sheet.data.study.app_version}"),
        ("Analysed with", f"Reading Room {__version__}"),
        ("Libraries", join((f"{name} {number}" for name, number in versions.items()), ", ")),
    ]
    return section(
        "reproducibility",
        "Reproducibility",
        paragraph(
            "The same ratings, seed and versions give this file again, byte for byte. It carries "
            "no time but those that the study recorded."
        ),
        definitions(entries),
        paragraph(
            "Made by software for research. Not a medical device, and not for diagnosis.",
            class_="notes",
        ),
    )
