"""Builders of volumes and pictures in the less common formats; none uses the code under test."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support import image_files

_META_TYPES = {"i2": "SHORT", "u1": "UCHAR", "f4": "FLOAT", "u2": "USHORT", "f8": "DOUBLE"}
_NRRD_TYPES = {"i2": "short", "u1": "unsigned char", "f4": "float", "u2": "ushort", "f8": "double"}


def tilted(zooms: tuple[float, float, float] = (0.7, 0.9, 2.5)) -> NDArray[np.float64]:
    """An oblique affine from voxels to LPS in mm, whose axes are not in the order of the body's."""
    turn, nod = 0.3, 0.2
    first = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    second = [[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]]
    directions = (np.array(first) @ second)[:, [1, 2, 0]] * [1, -1, 1]
    affine = np.eye(4)
    affine[:3, :3] = directions * zooms
    affine[:3, 3] = -12.5, 33.25, 7.75
    return affine


def metaimage(
    volume: NDArray[Any],
    affine: NDArray[Any] | None = None,
    *,
    packed: bool = False,
    written: bool = False,
    data_file: str = "LOCAL",
    channels: int = 1,
    **more: Any,
) -> bytes:
    """A MetaImage of a volume [x, y, z], with its channels in front where there are several."""
    affine = np.eye(4) if affine is None else affine
    zooms = np.linalg.norm(affine[:3, :3], axis=0)
    shape = volume.shape[volume.ndim - 3 :]
    lines = {
        "ObjectType": "Image", "NDims": 3, "BinaryData": not written,
        "BinaryDataByteOrderMSB": volume.dtype.byteorder == ">",
        "CompressedData": packed,
        **({"CompressedDataSize": len(values(volume, "zlib"))} if packed else {}),
        "TransformMatrix": _spaced((affine[:3, :3] / zooms).T.reshape(-1)),
        "Offset": _spaced(affine[:3, 3]), "CenterOfRotation": "0 0 0",
        "ElementSpacing": _spaced(zooms), "DimSize": _spaced(shape), **more,
        "ElementNumberOfChannels": channels,
        "ElementType": "MET_" + _META_TYPES[volume.dtype.str[1:]], "ElementDataFile": data_file,
    }  # fmt: skip
    head = "".join(f"{name} = {value}\n" for name, value in lines.items()).encode()
    if data_file != "LOCAL":
        return head
    return head + values(volume, "zlib" if packed else "text" if written else "raw")


def nrrd(
    volume: NDArray[Any],
    affine: NDArray[Any] | None = None,
    *,
    encoding: str = "raw",
    space: str = "left-posterior-superior",
    data_file: str = "",
    **more: str,
) -> bytes:
    """An NRRD volume [x, y, z] with directions in LPS, or in the space that is named."""
    affine = np.eye(4) if affine is None else affine
    vectors = [f"({_spaced(affine[:3, axis], ',')})" for axis in range(3)]
    fields = {
        "type": _NRRD_TYPES[volume.dtype.str[1:]], "dimension": "3", "space": space,
        "sizes": _spaced(volume.shape), "space directions": " ".join(vectors),
        "kinds": "domain domain domain",
        "endian": "big" if volume.dtype.byteorder == ">" else "little", "encoding": encoding,
        "space origin": f"({_spaced(affine[:3, 3], ',')})", **more,
    }  # fmt: skip
    fields |= {"data file": data_file} if data_file else {}
    head = "NRRD0004\n# made for a test\n" + "".join(f"{k}: {v}\n" for k, v in fields.items() if v)
    return head.encode() + (b"" if data_file else b"\n" + values(volume, encoding))


def values(volume: NDArray[Any], encoding: str) -> bytes:
    """The values as they follow a header."""
    raw = volume.tobytes(order="F")
    if encoding == "text":
        return (_spaced(volume.reshape(-1, order="F")) + "\n").encode()
    packers = {"raw": bytes, "zlib": zlib.compress, "gzip": gzip.compress, "bzip2": bz2.compress}
    return raw.hex().encode() if encoding == "hex" else packers[encoding](raw)


def gipl(volume: NDArray[Any], zooms: tuple[float, float, float] = (1, 1, 1)) -> bytes:
    """A GIPL volume [x, y, z] of int16."""
    head = bytearray(256)
    struct.pack_into(">5H", head, 0, *volume.shape, 1, 15)
    struct.pack_into(">4f", head, 10, *zooms, 0)
    struct.pack_into(">I", head, 252, 719555000)
    return bytes(head) + volume.astype(">i2").tobytes(order="F")


def mgh(volume: NDArray[Any], affine: NDArray[np.float64] | None = None) -> bytes:
    """A FreeSurfer volume [x, y, z] of int16, or [x, y, z, time]; the affine is to LPS."""
    sizes = (*volume.shape, 1)[:4]
    head = struct.pack(">7ih", 1, *sizes, 4, 0, affine is not None)
    if affine is not None:
        ras = np.diag((-1.0, -1.0, 1.0)) @ affine[:3]
        zooms = np.linalg.norm(ras[:, :3], axis=0)
        centre = ras @ (*(np.array(volume.shape[:3]) / 2), 1.0)
        cosines = (ras[:, :3] / zooms).T.reshape(-1)
        head += np.concatenate([zooms, cosines, centre]).astype(">f4").tobytes()
    return head.ljust(284, b"\0") + volume.astype(">i2").tobytes(order="F")


def nifti_pair(volume: NDArray[Any], **options: Any) -> tuple[bytes, bytes]:
    """The .hdr and .img of a NIfTI pair."""
    single = bytearray(image_files.nifti(volume, **options))
    version = options.get("version", 1)
    length = 352 if version == 1 else 544
    if version == 1:
        single[344:348] = b"ni1\0"
        struct.pack_into(options.get("order", "<") + "f", single, 108, 0.0)
    else:
        single[4:8] = b"ni2\0"
        struct.pack_into(options.get("order", "<") + "q", single, 168, 0)
    return bytes(single[:length]), bytes(single[length:])


def analyze_pair(volume: NDArray[Any], zooms: tuple[float, ...] = (1, 1, 1)) -> tuple[bytes, bytes]:
    """The .hdr and .img of an Analyze 7.5 volume of int16."""
    head = bytearray(348)
    struct.pack_into("<i", head, 0, 348)
    head[38:39] = b"r"
    struct.pack_into("<8h", head, 40, 4, *volume.shape, 1, 0, 0, 0)
    struct.pack_into("<hh", head, 70, 4, 16)
    struct.pack_into("<4f", head, 76, 0, *zooms)
    return bytes(head), volume.astype("<i2").tobytes(order="F")


def picture(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    """A picture of 8 bits as Pillow writes it."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def pnm(pixels: NDArray[Any], kind: int, most: int) -> bytes:
    """A PNM picture of the kind P1 to P6, with a comment in its header."""
    rows, columns = pixels.shape[:2]
    head = f"P{kind}\n# made for a test\n{columns} {rows}\n".encode()
    head += b"" if kind in (1, 4) else f"{most}\n".encode()
    if kind <= 3:
        return head + _spaced(pixels.reshape(-1)).encode()
    if kind == 4:
        return head + np.packbits(pixels.astype(np.uint8), axis=1).tobytes()
    return head + pixels.astype(">u2" if most > 255 else "u1").tobytes()


def _spaced(numbers: Any, between: str = " ") -> str:
    return between.join(repr(one.item() if hasattr(one, "item") else one) for one in numbers)
