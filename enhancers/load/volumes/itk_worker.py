"""Read a volume with SimpleITK and write it as an uncompressed MetaImage to standard output.

`converted` runs it as a separate process, which contains crashes and excessive allocations. It can
open no second file: one of HDF5 may name others as the place of its values.
"""

from __future__ import annotations

import os
import sys

TOO_LARGE = 3
"""Exit status where the volume is larger than allowed."""


def main(path: str, reader_name: str, most: int, memory: int) -> None:
    """Read ``path`` of at most ``most`` bytes unpacked, in so much memory."""
    import resource

    import numpy as np
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(reader_name)
    reader.SetFileName(path)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    memory = memory if limit == resource.RLIM_INFINITY else min(memory, limit)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, free + 1))
    reader.ReadImageInformation()
    size, channels = reader.GetSize(), reader.GetNumberOfComponents()
    if float(np.prod(size, dtype=np.float64)) * channels * 8 > most:
        sys.exit(TOO_LARGE)
    image = reader.Execute()
    values = SimpleITK.GetArrayViewFromImage(image)
    kinds = {"i1": "CHAR", "u1": "UCHAR", "i2": "SHORT", "u2": "USHORT", "i4": "INT", "u4": "UINT",
             "i8": "LONG_LONG", "u8": "ULONG_LONG", "f4": "FLOAT", "f8": "DOUBLE"}  # fmt: skip
    count = image.GetDimension()
    # A row of MetaImage is an axis, as is a column of the directions.
    directions = np.reshape(image.GetDirection(), (count, count)).T.reshape(-1)
    lines = {
        "NDims": [count],
        "DimSize": size,
        "ElementSpacing": image.GetSpacing(),
        "Offset": image.GetOrigin(),
        "TransformMatrix": directions.tolist(),
        "ElementNumberOfChannels": [channels],
        "ElementType": ["MET_" + kinds[values.dtype.str[1:]]],
        "ElementDataFile": ["LOCAL"],
    }
    for name, words in lines.items():
        sys.stdout.buffer.write(f"{name} = {' '.join(map(str, words))}\n".encode())
    sys.stdout.buffer.write(np.ascontiguousarray(values).data)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
