"""One form for names: macOS decomposes letters with accents in file names, others do not."""

from __future__ import annotations

import unicodedata


def composed(text: str) -> str:
    """A text in the composed form (NFC), in which names are compared."""
    return unicodedata.normalize("NFC", text)
