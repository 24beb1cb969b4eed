"""Decode the one frame of a DICOM file with GDCM and write it as .npy to standard output.

`pixels` runs it as a separate process, which contains crashes and excessive allocations.
"""

from __future__ import annotations

import sys

MEMORY_LIMIT = 8 * 2**30


def main(path: str) -> None:
    """Read ``path``, write the frame's array."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass
    import numpy as np
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    values = SimpleITK.GetArrayFromImage(reader.Execute())
    np.save(sys.stdout.buffer, values[0])


if __name__ == "__main__":
    main(sys.argv[1])
