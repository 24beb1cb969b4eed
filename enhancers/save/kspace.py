"""Samples of k-space as a NumPy archive."""

from __future__ import annotations

import io

import numpy as np

from enhancers.measured import SampledSpectrum


def to_npz(spectrum: SampledSpectrum) -> bytes:
    """The samples of k-space with their mask as a NumPy archive, as `enhancers.load` reads it."""
    file = io.BytesIO()
    np.savez_compressed(
        file, kspace=spectrum.samples, mask=spectrum.sampled, real=np.bool_(spectrum.real)
    )
    return file.getvalue()
