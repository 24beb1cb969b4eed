"""Small files that unpack to much: an answer comes, memory is bounded, others are served."""

from __future__ import annotations

import gzip
import io
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.servers import Server
from tests.support.image_files import dicom, nifti, png_chunks, ramp
from tests.support.page_driver import DrivenTab

_SIDE = 7900
"""Rows and columns of an image that is just within the limit of 64 megapixels."""
_PIECE = 2**20
_BYTES = 572 * _PIECE
_MEMORY = 1.2e9
"""Bytes that all processes of the server may take more: two decoders with their limits."""
_ANSWER = 30.0
_OTHERS = 3.0
_AT_ONCE = 4


def _zeros(packer: zlib._Compress, total: int) -> bytes:
    """Zeros, compressed piece by piece."""
    piece = bytes(_PIECE)
    return b"".join(packer.compress(piece) for _ in range(total // _PIECE))


def deflated_dicom() -> bytes:
    """A deflated data set with a private element of zeros before a small image."""
    plain: bytes = dicom(ramp().astype(np.uint16), DeflatedExplicitVRLittleEndian)
    start = 144 + struct.unpack("<I", plain[140:144])[0]
    body = zlib.decompress(plain[start:], wbits=-15)
    private = struct.pack("<HH2sHI", 0x0007, 0x1001, b"OB", 0, _BYTES)
    packer = zlib.compressobj(wbits=-15)
    packed = [packer.compress(private), _zeros(packer, _BYTES), packer.compress(body)]
    return plain[:start] + b"".join(packed) + packer.flush()


def gzipped_nifti() -> bytes:
    """A volume of 4 x 4 with zeros behind it."""
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb") as file:
        file.write(nifti(np.zeros((32, 32, 1), np.int16)))
        for _ in range(_BYTES // _PIECE):
            file.write(bytes(_PIECE))
    return target.getvalue()


def large_png() -> bytes:
    """One colour, 16 bits a channel."""
    packer = zlib.compressobj(1)
    rows = _zeros(packer, _SIDE * (6 * _SIDE + 1) + _PIECE) + packer.flush()
    made: bytes = png_chunks(_SIDE, _SIDE, 16, 2, rows)
    return made


def large_jpeg() -> bytes:
    """A black image."""
    target = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE)).save(target, "JPEG", quality=20)
    return target.getvalue()


BOMBS: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "DICOM": ("bomb.dcm", deflated_dicom),
    "NIfTI": ("bomb.nii.gz", gzipped_nifti),
    "PNG": ("bomb.png", large_png),
    "JPEG": ("bomb.jpg", large_jpeg),
}


def opened(kind: str, server: Server) -> Outcome:
    """Some visitors open such a file at once."""
    if not server.compares:
        raise NotTried("it has no compare page")
    name, make = BOMBS[kind]
    content, before = make(), server.memory()
    most, waited, done = [0], [0.0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            begun = time.perf_counter()
            with server.client() as client:
                client.get("/reader/login")
            waited[0] = max(waited[0], time.perf_counter() - begun)
            done.wait(0.1)

    def weigh() -> None:
        while not done.wait(0.05):
            most[0] = max(most[0], server.memory() - before)

    def one(number: int) -> float:
        begun = time.perf_counter()
        tab = DrivenTab(server.address)
        tab.upload("upload", name, content)
        tab.wait(2 * _ANSWER)
        tab.close()
        return time.perf_counter() - begun

    watchers = [threading.Thread(target=watch), threading.Thread(target=weigh)]
    for each in watchers:
        each.start()
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            seconds = max(pool.map(one, range(_AT_ONCE)))
    finally:
        done.set()
        for each in watchers:
            each.join()
    held = seconds < _ANSWER and most[0] < _MEMORY and waited[0] < _OTHERS
    told = f"{len(content) / 1e6:.1f} MB: {seconds:.0f} s, {most[0] / 1e9:.1f} GB more"
    return outcome(held, f"{told}, others wait {waited[0]:.1f} s")


SERVERS: tuple[Attack[Server], ...] = tuple(
    Attack(
        f"{_AT_ONCE} visitors open a {kind} that unpacks to much",
        f"{_ANSWER:.0f} s, below {_MEMORY / 1e9:g} GB",
        partial(opened, kind),
    )
    for kind in BOMBS
)
