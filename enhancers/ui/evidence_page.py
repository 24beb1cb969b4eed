"""The evidence as it looks: a list of chapters, and the chosen one beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from enhancers.ui.evidence_files import SOURCES, Picture, Source, pictures
from enhancers.ui.evidence_text import Chapter, chapters, code_html


def page_html(folder: Path) -> str:
    """All texts of the folder as chapters beside their list; only the first is to be seen.

    Parameters
    ----------
    folder : Path
        A text that is not there is a chapter that says which command writes it.
    """
    known = pictures(folder)
    groups = [_read(folder, source, known) for source in SOURCES]
    found = [chapter for group in groups for chapter in group]
    listed = "".join(f"<ol>{''.join(map(_entry, group))}</ol>" for group in groups)
    options = "".join(
        f'<option value="{escape(one.key)}">{escape(one.title)}</option>' for one in found
    )
    articles = "".join(_article(found, index) for index in range(len(found)))
    return (
        '<div class="evidence"><nav class="evidence-contents" aria-label="Chapters">'
        f'<select aria-label="Chapter">{options}</select>{listed}</nav>'
        f'<div class="evidence-text">{articles}</div></div>'
    )


def _read(folder: Path, source: Source, known: Mapping[str, Picture]) -> Sequence[Chapter]:
    try:
        text = (folder / source.name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return [_absent(source, "This was not measured here yet.")]
    except (OSError, UnicodeDecodeError) as error:
        return [_absent(source, f"{source.name} cannot be read ({type(error).__name__}).")]
    found = chapters(text, source.stem, pictures=known, split=source.split)
    return found or [_absent(source, f"{source.name} is empty.")]


def _absent(source: Source, told: str) -> Chapter:
    html = (
        f"<h2>{escape(source.title)}</h2><p>{escape(told)} This command writes it:</p>"
        f"{code_html(source.command)}"
    )
    return Chapter(source.stem, source.title, (), html)


def _entry(chapter: Chapter) -> str:
    inner = "".join(f"<li>{_go(each.key, escape(each.title))}</li>" for each in chapter.sections)
    sections = f"<ul>{inner}</ul>" if inner else ""
    return (
        f'<li data-chapter="{escape(chapter.key)}">'
        f"{_go(chapter.key, escape(chapter.title))}{sections}</li>"
    )


def _article(found: Sequence[Chapter], index: int) -> str:
    chapter = found[index]
    # The browser's own search looks into chapters that are hidden so, and opens them.
    hidden = ' hidden="until-found"' if index else ""
    before, after = found[:index][-1:], found[index + 1 :][:1]
    ways = [_go(one.key, f"<small>Previous</small>{escape(one.title)}") for one in before]
    ways += [_go(one.key, f"<small>Next</small>{escape(one.title)}") for one in after]
    return (
        f'<article id="{escape(chapter.key)}"{hidden}>{chapter.html}'
        f'<nav class="evidence-ways" aria-label="On">{"".join(ways)}</nav></article>'
    )


def _go(key: str, inner: str) -> str:
    return f'<button type="button" data-go="{escape(key)}">{inner}</button>'
