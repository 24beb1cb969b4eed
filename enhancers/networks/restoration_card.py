"""The card of a network that a user added for restoration, as Markdown."""

from __future__ import annotations

import re

from enhancers.networks.entry import NetworkEntry

NOISE = """
- `sigma`: standard deviation of the noise as a fraction of the window, which the network is given.
  Automatic: measured; less than 0.002 is left alone.
- `unclip`: black and white pixels are treated as clipped noise."""


def restoration_card(entry: NetworkEntry) -> str:
    """The card: what it does, what it was made of, and what is not known of it.

    Raises
    ------
    ValueError
        The network is not one for restoration.
    """
    facts, origin = entry.restoration, entry.origin
    if facts is None or origin is None:
        raise ValueError(f"{entry.key} is no network for restoration")
    does = f"Enlarges {facts.scale} times" if facts.scale > 1 else "Restores the image"
    given = (
        "the image in [0, 1] of the processing window"
        if facts.range is None
        else f"CT values, of which {facts.range[0]:g} and {facts.range[1]:g} HU are its 0 and 1"
    )
    colour = (
        "gray; of a colour image it gets the luminance, and the chroma is kept"
        if entry.channels == 1
        else "colour; a gray image goes through three equal channels, whose mean comes back"
    )
    return f"""# {_plain(entry.label)}

**What it does.** {does} in one call of a network that was added here; nothing is sampled. What
it was trained for, and on which images, its authors know: this program has not measured it.

**Network.** {_plain(facts.architecture)}, {entry.parameters / 1e6:.1f} M parameters, {colour}.
It is given {given}.

**Parameters**
- `prior`: the network, always `{entry.key}`.{NOISE if facts.noise_level else ""}

**Fails when.** The image differs from those of its training: in modality, noise, scale or window.
Networks may remove structures, or draw some that are not there; compare with the input.

**Licence.** {_plain(entry.licence)}, as stated by whoever added it.

**Source.** {_plain(facts.source)}, as stated by whoever added it. File {_plain(origin.file)},
SHA-256 `{origin.sha256}`, added on {origin.when[:10]}.
"""


def _plain(text: str) -> str:
    """Text without effect in Markdown and HTML."""
    return re.sub(r"([\\`*_{}\[\]()#!|<>~&])", r"\\\1", " ".join(text.split()))
