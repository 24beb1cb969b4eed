"""Decoding of files that came over the network, in worker processes with limits.

`OpenedFile` gives the slices of a file, `UploadedSeries` those of a series of files: what was
decoded once is kept, and the rest is decoded by a process that may take so much memory and time and
no more (`DecodePool`). Files that somebody names on the command line are read by `enhancers.load`
in the same process.
"""

from __future__ import annotations

from enhancers.decoding.content import FileContent
from enhancers.decoding.opened_file import Opened, OpenedFile
from enhancers.decoding.opened_series import (
    OpenedSeries,
    UploadedSeries,
    holds_frames,
    holds_series,
    is_archive,
    open_upload,
)
from enhancers.decoding.pool import DecodePool, decode_pool

__all__ = [
    "DecodePool", "FileContent", "Opened", "OpenedFile", "OpenedSeries", "UploadedSeries",
    "decode_pool", "holds_frames", "holds_series", "is_archive", "open_upload",
]  # fmt: skip
