"""The errors for users: each says what is wrong, with the value, and what to do about it.

The pages and the command line show ``str(error)`` as it is and never a traceback, so a message is
one or two complete sentences.
"""

from __future__ import annotations


class ReadingRoomError(Exception):
    """Base class of errors whose message is for the user."""


class ImageReadError(ReadingRoomError):
    """The file is not a readable image: truncated, empty, unsupported or without pixels."""


class ImageTooLarge(ImageReadError):
    """The file or the image exceeds a configured limit."""


class ServerBusy(ReadingRoomError):
    """Too many files or runs wait; the same will work in a moment."""


class ImagesAbsent(ReadingRoomError):
    """The data hold no image of the required kind."""


class ParameterError(ReadingRoomError):
    """A parameter is unknown, of the wrong type or outside its range."""


class NetworkFactsMissing(ParameterError):
    """Neither the file of weights nor the user states all facts about the network."""


class UnknownMethod(ReadingRoomError):
    """No method has this key."""


class NetworkMissing(ReadingRoomError):
    """The network of a method is not on this machine."""


class OutOfDeviceMemory(ReadingRoomError):
    """The device has too little memory for the image, even after every fallback."""


class MetricUnavailable(ReadingRoomError):
    """The metric cannot be computed here: it needs a file, a reference, or a larger image."""


class CheckpointError(ReadingRoomError):
    """A file of weights is damaged, belongs to another network, or contains code."""


class FetchFailed(ReadingRoomError):
    """A network could not be downloaded: no connection, no disk space, or a wrong file."""
