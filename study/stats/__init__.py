"""Statistics of a reader study: agreement, reliability, comparison of methods, preferences.

Every result is a frozen dataclass. A statistic that the data leave undefined has the value
None and a reason; it is never NaN.

>>> from study.stats.agreement.coefficients import fleiss_kappa
>>> from study.stats.scale import Scale
>>> from study.stats.table import from_matrix
>>> ratings = from_matrix([[1, 1, 2], [3, 3, 3], [5, 4, 5]], Scale.span(1, 5))
>>> round(fleiss_kappa(ratings).value, 3)
0.419
>>> fleiss_kappa(from_matrix([[4, 4], [4, 4]], Scale.span(1, 5))).reason
'no variation: all ratings are in one category'
"""
