"""Medical image enhancement: read an image, enhance it by several methods, measure, and export.

The subpackage is the compare half of Reading Room and works without any interface:

>>> from enhancers.load import load
>>> from enhancers.compare import enhance
>>> image = load("slice.dcm")  # doctest: +SKIP
>>> result = enhance(image, "srad", seed=0)  # doctest: +SKIP
"""

from __future__ import annotations

__version__ = "0.2.0"
