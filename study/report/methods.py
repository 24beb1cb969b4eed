"""What a paper needs besides the tables: statistical methods, references, hashes."""

from __future__ import annotations

from enhancers import __version__
from study.analysis.log import libraries
from study.analysis.measures import MeasureResult
from study.analysis.rankings import RankingResult
from study.analysis.records import INCLUDED
from study.analysis.results import CriterionResult
from study.domain.formatting import percent
from study.domain.windows import described
from study.report.context import ReportContext, Section
from study.report.overview import qualification_words, session_words, stack_words

REFERENCES = (
    "Bang H, Ni L, Davis CE. Assessment of blinding in clinical trials. Control Clin Trials "
    "2004;25:143–156.",
    "Bland JM, Altman DG. Measurement error. BMJ 1996;312:1654.",
    "Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res "
    "1999;8:135–160.",
    "Båth M, Månsson LG. Visual grading characteristics (VGC) analysis: a non-parametric "
    "rank-invariant statistical method for image quality evaluation. Br J Radiol "
    "2007;80:169–176.",
    "Bradley RA, Terry ME. Rank analysis of incomplete block designs. Biometrika 1952;39:324–345.",
    "Carkeet A. Exact parametric confidence intervals for Bland-Altman limits of agreement. Optom "
    "Vis Sci 2015;92:e71–e80.",
    "Chen W, Samuelson FW. The average receiver operating characteristic curve in multireader "
    "multicase imaging studies. Br J Radiol 2014;87:20140016.",
    "Cohen J. Weighted kappa: nominal scale agreement with provision for scaled disagreement or "
    "partial credit. Psychol Bull 1968;70:213–220.",
    "Davidson RR. On extending the Bradley–Terry model to accommodate ties in paired comparison "
    "experiments. J Am Stat Assoc 1970;65:317–328.",
    "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated "
    "receiver operating characteristic curves: a nonparametric approach. Biometrics "
    "1988;44:837–845.",
    "Fleiss JL. Measuring nominal scale agreement among many raters. Psychol Bull 1971;76:378–382.",
    "Freeman PR. The performance of the two-stage analysis of two-treatment, two-period crossover "
    "trials. Stat Med 1989;8:1421–1432.",
    "Friedman M. The use of ranks to avoid the assumption of normality implicit in the analysis "
    "of variance. J Am Stat Assoc 1937;32:675–701.",
    "Gwet KL. Computing inter-rater reliability and its variance in the presence of high "
    "agreement. Br J Math Stat Psychol 2008;61:29–48.",
    "Gwet KL. Large-sample variance of Fleiss generalized kappa. Educ Psychol Meas "
    "2021;81:781–790.",
    "Hillis SL. A comparison of denominator degrees of freedom methods for multiple observer ROC "
    "analysis. Stat Med 2007;26:596–619.",
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
    "McNemar Q. Note on the sampling error of the difference between correlated proportions or "
    "percentages. Psychometrika 1947;12:153–157.",
    "Obuchowski NA, Rockette HE. Hypothesis testing of diagnostic accuracy for multiple readers "
    "and multiple tests: an ANOVA approach with dependent observations. Commun Stat Simul Comput "
    "1995;24:285–308.",
    "Owen AB. The pigeonhole bootstrap. Ann Appl Stat 2007;1:386–411.",
    "Patterson HD, Thompson R. Recovery of inter-block information when block sizes are unequal. "
    "Biometrika 1971;58:545–554.",
    "Rao JNK, Scott AJ. A simple method for the analysis of clustered binary data. Biometrics "
    "1992;48:577–585.",
    "Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach for "
    "assessing the equivalence of average bioavailability. J Pharmacokinet Biopharm "
    "1987;15:657–680.",
    "Senn S. Cross-over trials in clinical research. 2nd ed. Chichester: Wiley, 2002.",
    "Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol "
    "Bull 1979;86:420–428.",
    "Sounderajah V, Guni A, Liu X, et al. The STARD-AI reporting guideline for diagnostic accuracy "
    "studies using artificial intelligence. Nat Med 2025;31:3283–3289.",
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for artificial intelligence in medical "
    "imaging (CLAIM): 2024 update. Radiol Artif Intell 2024;6:e240300.",
    "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bull 1945;1:80–83.",
    "Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat "
    "Assoc 1927;22:209–212.",
)


def statistics(context: ReportContext) -> Section:
    """The methods paragraph and the references."""
    data, analysis = context.data, context.analysis
    mains = context.main_observations
    scored: list[CriterionResult | MeasureResult | RankingResult] = [
        *analysis.criteria, *analysis.measures, *analysis.rankings
    ]  # fmt: skip
    compared = [one.comparison for one in scored]
    kinds = (
        ("scores", analysis.criteria), ("measurements", analysis.measures),
        ("ranks", analysis.rankings),
    )  # fmt: skip
    repeated = any(one.repeats for one in scored) or any(one.repeats for one in analysis.categories)
    curves = [one.roc for one in analysis.criteria] + [one.roc for one in analysis.measures]
    accuracies = [one.accuracy for one in analysis.criteria]
    accuracies += [one.accuracy for one in analysis.measures]
    accuracies += [one.accuracy for one in analysis.categories]
    values = {
        "readers": sum(one.state == INCLUDED for one in data.readers),
        "methods": len(data.methods),
        "cases": len({one.case for one in mains}),
        "patients": len({one.patient for one in mains}),
        "options": analysis.options,
        "family": next((one.comparisons.family for one in compared if one.comparisons), None),
        "friedman": any(one.friedman for one in compared),
        "preferences": analysis.preferences is not None,
        "vgc": any(one.vgc for one in analysis.criteria),
        "roc": any(one is not None and one.areas for one in curves),
        "accuracy": any(one is not None and one.found for one in accuracies),
        "means": " and ".join(name for name, results in kinds if results),
        "scores": bool(analysis.criteria),
        "categories": bool(analysis.categories),
        "reliability": bool(analysis.criteria or analysis.measures),
        "repeats": "quadratic κ, ICC(A,1), SEM, MDC95"
        if repeated
        else "quadratic κ"
        if analysis.preference_repeats
        else "",
        "sessions": session_words(context),
        "crossover": analysis.conduct.crossover is not None,
        "limits": any(one.repeat_limits for one in analysis.criteria)
        or any(one.repeat_limits or one.limits for one in analysis.measures),
        "random": context.random,
        "primary": _primary(context),
        "shown": data.protocol.presentation.value,
        "images": data.protocol.images,
        "block": data.protocol.block,
        "original": data.protocol.show_original,
        "stacks": stack_words(context),
        "windows": described(data.protocol.windows),
        "level": context.level,
        "qualification": qualification_words(context),
        "amendments": data.versions[1:],
        "version": __version__,
        "references": REFERENCES,
    }
    return Section("statistics", "Statistical methods", "statistics.html", values)


def _primary(context: ReportContext) -> dict[str, str] | None:
    """The primary comparison in the words of the methods paragraph."""
    found, protocol = context.analysis.primary, context.data.protocol
    if found is None:
        return None
    share = context.question(found.question).of_pair
    margin = percent(protocol.margin) if share else f"{protocol.margin:g} points"
    return {
        "first": context.method(found.first),
        "second": context.method(found.second),
        "name": context.question_name(found.question),
        "hypothesis": found.outcome.hypothesis.value,
        "margin": margin if protocol.margin else "",
        "alpha": f"{found.outcome.limit:g}",
        "level": f"{100 * (1 - protocol.alpha):g}%",
    }


def reproducibility(context: ReportContext) -> Section:
    """Everything needed to compute this report again."""
    options = context.analysis.options
    values = {
        "analysis": context.analysis,
        "entries": (
            ("Bootstrap", f"seed {options.seed}, {options.resamples} samples"),
            ("Confidence level", context.level),
            ("Study made with", f"Reading Room {context.data.study.app_version}"),
            ("Analysed with", f"Reading Room {__version__}"),
            ("Libraries", ", ".join(f"{name} {number}" for name, number in libraries().items())),
        ),
    }
    return Section("reproducibility", "Reproducibility", "reproducibility.html", values)
