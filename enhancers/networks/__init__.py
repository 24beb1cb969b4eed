"""The networks the diffusion methods sample from: what exists, loading, training."""

from __future__ import annotations

import logging

# diffusers imports bitsandbytes where it is installed; it warns of a kernel nobody here needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
