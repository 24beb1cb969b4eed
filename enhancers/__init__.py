"""Medical image enhancement: read an image, enhance it by several methods, measure, and export.

The package is the compare half of Reading Room and can be used as a library:

>>> from enhancers.compare import enhance
>>> from enhancers.load import load
>>> from enhancers.samples import sample
>>> image = load(sample("ultrasound").degraded)
>>> enhance(image, "srad").pixels.shape
(256, 256)
"""

from __future__ import annotations

__version__ = "0.2.0"
