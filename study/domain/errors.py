"""The errors a coordinator or a reader may meet: what is wrong, the value, and what to do."""

from __future__ import annotations


class StudyError(Exception):
    """Base of every error of the study half that is meant for the user's eyes."""


class StatisticsError(StudyError):
    """Ratings or options that no statistic can be computed from."""


class ProtocolError(StudyError):
    """A protocol, a plan or a design that cannot be used as it is."""


class KeyFileError(StudyError):
    """The key file is not there, not private, damaged, or of another study."""


class BuildError(StudyError):
    """Cases, methods or images that no stimuli can be made of."""


class FreezeError(StudyError):
    """A study that cannot be frozen: something is missing, or it would not be blind."""


class BlindingError(StudyError):
    """A step that would lift the blinding too early, or by one person alone."""


class SignInError(StudyError):
    """An invitation, a code with its secret or a cookie that opens nothing, or too many tries."""


class WrongScreen(StudyError):
    """A reader's page asks for a step that is not the next one."""


class TicketGone(StudyError):
    """A ticket for pixels that was used, has expired, or is another reader's."""


class StoreError(StudyError):
    """A database, a mirror or a backup that cannot be used, or that refuses a change."""


class MirrorConflict(StoreError):
    """The second log tells another history than the database."""


class NotOpen(StudyError):
    """The study, or the next session, does not take ratings now."""


class ConsentError(StudyError):
    """Consent is missing or has been withdrawn."""


class NotYourPresentation(StudyError):
    """A pair that is not this reader's, or whose turn has not come."""


class AlreadyAnswered(StudyError):
    """A pair that has its answers already."""


class AnswerError(StudyError):
    """Answers that are incomplete, outside the scale or unreadable."""


class NotAllowed(StudyError):
    """Something that only a coordinator of another role may do."""
