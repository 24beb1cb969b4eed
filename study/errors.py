"""The errors a coordinator or a reader may meet: what is wrong, the value, and what to do."""

from __future__ import annotations


class StudyError(Exception):
    """Base of every error of the study half that is meant for the user's eyes."""


class StatisticsError(StudyError):
    """Ratings or options that no statistic can be computed from."""


class ProtocolError(StudyError):
    """A protocol, a plan or a design that cannot be used as it is."""
