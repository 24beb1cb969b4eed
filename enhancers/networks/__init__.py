"""The networks of the diffusion methods: catalogue, download, import, loading, training."""

from __future__ import annotations

import logging

# diffusers imports bitsandbytes where it is installed, which warns of a kernel not used here.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
