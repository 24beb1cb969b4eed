"""The errors a user may meet: each says what is wrong, with the value, and what to do about it.

The pages and the command line show ``str(error)`` as it is and never a traceback, so a message
is one sentence or two, complete in itself.
"""

from __future__ import annotations


class ReadingRoomError(Exception):
    """Base of every error that is meant for the user's eyes."""


class ImageReadError(ReadingRoomError):
    """The file is not an image that can be read: truncated, empty, unsupported, without pixels."""


class ImageTooLarge(ImageReadError):
    """The file or the image exceeds a configured cap."""


class ImagesAbsent(ReadingRoomError):
    """What was read holds no image of the kind that is needed."""


class ParameterError(ReadingRoomError):
    """A parameter is unknown, of the wrong type or outside its range."""


class NetworkFactsMissing(ParameterError):
    """A file of weights does not say everything about its network, and nobody else did."""


class UnknownMethod(ReadingRoomError):
    """No method has this key."""


class NetworkMissing(ReadingRoomError):
    """The network weights a method needs are not on this machine."""


class OutOfDeviceMemory(ReadingRoomError):
    """The device has too little memory for the image, also after every step down."""


class MetricUnavailable(ReadingRoomError):
    """The metric cannot be computed here: it needs a file, a reference, or a larger image."""


class CheckpointError(ReadingRoomError):
    """A file of weights cannot be used: damaged, of another network, or with code in it."""


class FetchFailed(ReadingRoomError):
    """A network could not be fetched: no connection, no room on the disk, or another file."""
