"""HTML by functions: every text is escaped unless it is markup already."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


class Html(str):
    """Markup; any other string is text and is escaped."""

    __slots__ = ()


Content = Html | str | int | None
_EMPTY = ("br", "meta")
_CONTROLS = dict.fromkeys(c for c in range(0x20) if chr(c) not in "\t\n") | {0x7F: None}


def text(content: Content) -> Html:
    """Content as markup: text is escaped, None is nothing."""
    if isinstance(content, Html):
        return content
    if content is None:
        return Html("")
    # Control characters and lone surrogates have no place in an HTML file.
    clean = str(content).translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(clean))


def tag(name: str, *children: Content, **attributes: str | int | None) -> Html:
    """An element; an attribute `class_` is written `class`, and one that is None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _EMPTY else f"{join(children)}</{name}>"
    return Html(f"<{name}{written}>{end}")


def join(parts: Iterable[Content], between: str = "") -> Html:
    """Contents one after the other."""
    return Html(str.join(text(between), (text(part) for part in parts)))


def lined(element: Html) -> Html:
    """An element on a line of its own: the file can be compared line by line."""
    return Html(f"\n{element}")


def paragraph(*children: Content, class_: str | None = None) -> Html:
    """A paragraph."""
    return tag("p", *children, class_=class_)


def section(identifier: str, title: Content, *children: Content) -> Html:
    """A part of the report that the contents list can point to."""
    return lined(tag("section", tag("h2", title), *children, id=identifier))


def definitions(entries: Iterable[tuple[Content, Content]]) -> Html:
    """A list of names and what they are."""
    rows = (tag("div", tag("dt", name), tag("dd", value)) for name, value in entries)
    return tag("dl", *rows)


def listing(entries: Iterable[Content]) -> Html:
    """A list with bullets."""
    return tag("ul", *(tag("li", entry) for entry in entries))


@dataclass
class Notes:
    """Footnotes of one table: the same reason has the same letter."""

    reasons: list[str] = field(default_factory=list)

    def mark(self, reason: str) -> Html:
        """The letter of a reason."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return tag("sup", _letter(self.reasons.index(reason)))

    def render(self) -> Html:
        """All of them, for below the table."""
        if not self.reasons:
            return Html("")
        entries = (
            join((tag("sup", _letter(place)), " ", sentence(reason)))
            for place, reason in enumerate(self.reasons)
        )
        return paragraph(join(entries, " "), class_="notes")


def table(
    caption: Content,
    head: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    *,
    notes: Notes | None = None,
    words: Sequence[int] = (0,),
    remark: Content = None,
) -> Html:
    """A table with its caption above and its notes below.

    Parameters
    ----------
    caption, head, rows
        The first cell of each row names it.
    notes : Notes, optional
        Filled while the cells were made.
    words : sequence of int
        Columns that hold words; the others hold numbers and are set to the right.
    remark : Content
        A sentence below the table.
    """
    body = list(rows)
    if not body:
        return Html("")
    header = tag(
        "tr", *(tag("th", cell, scope="col", **_side(i, words)) for i, cell in enumerate(head))
    )
    lines = (
        tag(
            "tr",
            tag("th", row[0], scope="row", **_side(0, words)),
            *(tag("td", cell, **_side(i, words)) for i, cell in enumerate(row[1:], 1)),
        )
        for row in body
    )
    return tag(
        "figure",
        tag("figcaption", caption),
        tag(
            "div",
            lined(tag("table", tag("thead", header), tag("tbody", join(lines, "\n")))),
            class_="scroll",
        ),
        notes.render() if notes else None,
        paragraph(remark, class_="notes") if remark else None,
        class_="table",
    )


def picture(svg: str, caption: Content, alternative: str) -> Html:
    """A figure with its caption below."""
    drawn = tag("div", Html(svg), role="img", aria_label=alternative, class_="plot")
    return lined(tag("figure", drawn, tag("figcaption", caption), class_="picture"))


def sentence(words: str) -> str:
    """With a capital at the start and a full stop at the end."""
    words = words.strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) else ".")


def _side(column: int, words: Sequence[int]) -> dict[str, str | None]:
    return {"class_": None if column in words else "number"}


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"a{place}"
