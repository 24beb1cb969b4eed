"""Errors for coordinators and readers: what is wrong, the value, and what to do."""

from __future__ import annotations


class StudyError(Exception):
    """Base class of the errors of a study that are shown to users."""


class StatisticsError(StudyError):
    """A statistic cannot be computed from these ratings or options."""


class ProtocolError(StudyError):
    """A protocol, a plan or a design is not possible."""


class KeyFileError(StudyError):
    """The key file is missing, not private, damaged, or of another study."""


class BuildError(StudyError):
    """Stimuli cannot be made from these cases, methods or images."""


class DifferenceFound(BuildError):
    """An image could be recognised by a mark, a shift or its gray levels; a person decides."""


class FreezeError(StudyError):
    """A study cannot be frozen: something is missing, or it would not be blind."""


class BlindingError(StudyError):
    """A step would unblind the study too early, or by one person alone."""


class SignInError(StudyError):
    """An invitation, a secret or a cookie is not valid, or there were too many attempts.

    Parameters
    ----------
    message : str
    text : str
        Name of the text of the readers' pages that says the same in their language.
    n : int
        The number in that text.
    """

    def __init__(self, message: str, text: str = "", n: int = 0) -> None:
        super().__init__(message)
        self.text = text
        self.n = n


class SignInBusy(SignInError):
    """Too many sign-ins wait to be checked.

    Parameters
    ----------
    minutes : int
        After which to try again.
    """

    def __init__(self, minutes: int) -> None:
        super().__init__(
            f"The server is checking too many sign-ins. Wait {minutes} "
            f"minute{'s' * (minutes > 1)} and try again.",
            "login.wait",
            minutes,
        )


class WrongScreen(StudyError):
    """A reader's page requests a step that is not the next one."""


class TicketGone(StudyError):
    """A pixel ticket was used before, has expired, or is another reader's."""


class ImageLost(StudyError):
    """An image of a pair is missing or damaged; the pair is skipped."""


class StoreError(StudyError):
    """A database, an append log or a backup cannot be used, or refuses a change."""


class LogConflict(StoreError):
    """The append log and the database contradict each other."""


class DiskFull(StoreError):
    """The disk of the database is full: nothing can be stored."""


class NotOpen(StudyError):
    """The study, or the next session, is not open for ratings."""


class ConsentError(StudyError):
    """Consent is missing or has been withdrawn."""


class NotYourPresentation(StudyError):
    """A pair is another reader's, or is not the next one."""


class AlreadyAnswered(StudyError):
    """A pair has been answered already."""


class AnswerError(StudyError):
    """Answers are incomplete, outside the scale or unreadable."""


class NotAllowed(StudyError):
    """The action needs another role of coordinator."""
