"""The evidence as a page: a list of chapters, and the chosen chapter next to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from enhancers.ui.evidence_chapters import Chapter, chapters
from enhancers.ui.evidence_files import SOURCES, Picture, Source, pictures
from enhancers.ui.evidence_markup import missing_html
from enhancers.ui.html import fill


def page_html(folder: Path) -> str:
    """All texts of the folder as chapters next to their list; only the first is visible.

    Parameters
    ----------
    folder : Path
        A text that is missing becomes a chapter that names the command which writes it.
    """
    known = pictures(folder)
    return fill("evidence.html", groups=[_read(folder, source, known) for source in SOURCES])


def _read(folder: Path, source: Source, known: Mapping[str, Picture]) -> Sequence[Chapter]:
    try:
        text = (folder / source.name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return [_missing(source, "This has not been measured on this machine yet.")]
    except (OSError, UnicodeDecodeError) as error:
        return [_missing(source, f"{source.name} cannot be read ({type(error).__name__}).")]
    found = list(chapters(text, source.stem, pictures=known, split=source.split))
    return found or [_missing(source, f"{source.name} is empty.")]


def _missing(source: Source, sentence: str) -> Chapter:
    html = missing_html(source.title, sentence, source.command)
    return Chapter(source.stem, source.title, (), html)
