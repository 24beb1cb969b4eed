"""Reads tables of text as spreadsheets and statistics programs write them.

Encodings: UTF-8 with or without a byte order mark, UTF-16, and Windows-1252 or Latin-1 where the
file is neither. Separators: comma, semicolon, tab or a vertical bar, found in the first line or
declared by a line such as ``sep=;``. Empty lines and columns are ignored.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from study.domain.composed import composed
from study.domain.errors import StatisticsError, StudyError

DELIMITERS = ",;\t|"
LARGEST_NUMBER = 1e50
"""Powers of larger numbers overflow."""
MOST_BYTES, MOST_COLUMNS = 200_000_000, 16_384
"""Largest file, and most columns, as in Excel."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and their encodings; that of UTF-16 is the beginning of one of UTF-32."""
SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or another zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
}
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_INVISIBLE = "\ufeff\u200b\u200e\u200f"


@dataclass(frozen=True)
class Line:
    """A line of a table below its header: its number in the file and its cells."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class TextTable:
    """A table of text, without blank lines, its cells without surrounding spaces.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    header : tuple of str
        Names of the columns, as written; none in an empty file.
    lines : tuple of Line
        A line may have fewer cells than the header, never more.
    delimiter : str
        What separates the columns.
    """

    name: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    delimiter: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in small letters."""
        return tuple(name.lower() for name in self.header)

    def mappings(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Number of each line, and its cells by the name of the column in small letters."""
        for line in self.lines:
            rest = [""] * (len(self.header) - len(line.cells))
            yield line.number, dict(zip(self.names, [*line.cells, *rest], strict=True))


def read_table(
    path: Path,
    *,
    likely: Collection[str] = (),
    required: Collection[str] = (),
    error: type[StudyError] = StatisticsError,
) -> TextTable:
    """Read a table of text.

    Parameters
    ----------
    path : Path
    likely, required : collection of str
        Names in small letters that the header may have and must have; they tell one separator from
        another.
    error : type of StudyError
        The class of the errors that are raised.

    Raises
    ------
    StudyError
        The file cannot be read, is not a text, lacks a required column, names a column twice, or
        has a line with more cells than columns or with a broken quotation; the message names file
        and line.
    """
    text = _decoded(path, error)
    declared = _SEPARATOR_LINE.match(text)
    skipped = 0
    if declared:
        text, skipped = text[declared.end() :], 1
    delimiter = declared.group(1) if declared else _delimiter(text, {*likely, *required})
    lines = list(_lines(text, delimiter, skipped, path.name, error))
    if not lines and required:
        raise error(f"{path.name} is empty; its first line must be {','.join(required)}.")
    if not lines:
        return TextTable(path.name, (), (), delimiter)
    header, *rest = lines
    missing = [name for name in required if name not in map(str.lower, header.cells)]
    if missing:
        raise error(
            f"{path.name}, line {header.number}: the column {missing[0]} is missing; the first "
            f"line must be {','.join(required)} (found: {','.join(header.cells)})."
        )
    names, kept = _without_empty_columns(header, rest, path.name, error)
    number = Counter(name.lower() for name in names)
    twice = [name for name in names if number[name.lower()] > 1]
    if twice:
        raise error(
            f"{path.name}, line {header.number}: names a column twice, {twice[0]!r}; the header is "
            f"{', '.join(names)}"
        )
    return TextTable(path.name, names, kept, delimiter)


def number_of(text: str) -> float | None:
    """The number that a text writes in ASCII digits with a decimal point, or None.

    Unlike `float` it takes no underscores, other digits, infinities or NaN, and nothing beyond
    `LARGEST_NUMBER`.
    """
    if not NUMBER.fullmatch(text):
        return None
    # "-0" is 0, and printed so.
    number = float(text) + 0.0
    return number if abs(number) <= LARGEST_NUMBER else None


def whole_number_of(text: str) -> int | None:
    """The integer from 0 that a text writes in ASCII digits, or None."""
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def alike_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each set of names that may be one name written in several ways.

    Names are alike that differ in case, width and spaces only, or in the leading zeros of a number.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name in names:
        plain = "".join(unicodedata.normalize("NFKC", name).casefold().split())
        found[(plain.lstrip("0") or "0") if plain.isdigit() else plain][name] = None
    return tuple(
        f"{' and '.join(map(repr, written))} are taken as different {what}: if they are one, write "
        "them alike"
        for written in found.values()
        if len(written) > 1
    )


def _decoded(path: Path, error: type[StudyError]) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "the path is not valid"
        raise error(f"{path} cannot be read: {reason}") from None
    if len(raw) > MOST_BYTES:
        raise error(
            f"{path.name} is larger than {MOST_BYTES // 1_000_000} MB, which is no table of ratings"
        )
    for signature, what in SIGNATURES.items():
        if raw.startswith(signature):
            raise error(f"{path.name} is {what}, not a table of text: save it as CSV")
    text = _text(raw)
    if text is None:
        raise error(
            f"{path.name} is not a text in the encoding it declares: save it as CSV in UTF-8"
        )
    found = _CONTROL.search(text)
    if found:
        line = len(text[: found.start()].splitlines() or [""])
        raise error(
            f"{path.name}, line {line}: there is the control character {ord(found.group()):#04x}: "
            "the file is damaged or not a text; remove it, or export the table again"
        )
    return text


def _text(raw: bytes) -> str | None:
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return _try(raw, encoding)
    # UTF-16 without a mark: every other byte of an ASCII text is zero.
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = raw[start:4000:2]
        if len(half) > 4 and half.count(0) > 0.6 * len(half):
            return _try(raw, encoding)
    return next(
        text
        for text in (_try(raw, "utf-8"), _try(raw, "cp1252"), raw.decode("latin-1"))
        if text is not None
    )


def _try(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _delimiter(text: str, known: Collection[str]) -> str:
    """The separator whose header has most of the known names, then most columns."""
    first = next((line for line in re.split(r"[\r\n]+", text) if line.strip()), "")

    def score(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([first], delimiter=delimiter))
        except csv.Error:
            return 0, 0  # `_lines` says what is wrong with it.
        names = [_clean(name).lower() for name in cells]
        return len(set(known) & set(names)), len(names)

    return max(DELIMITERS, key=score)


def _lines(
    text: str, delimiter: str, skipped: int, name: str, error: type[StudyError]
) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            cleaned = tuple(map(_clean, cells))
            if any(cleaned):
                yield Line(reader.line_num + skipped, cleaned)
            start = reader.line_num + 1
    except csv.Error as problem:
        if "unexpected end" in str(problem):
            what = "a quotation mark is opened here and never closed"
        elif "field larger" in str(problem):
            what = "a value is too long; a quotation mark is perhaps never closed"
        else:
            what = (
                "a value goes on after its closing quotation mark, so it is not a CSV file; write "
                "a quotation mark inside a value twice"
            )
        raise error(f"{name}, line {start + skipped}: {what}") from None


def _clean(cell: str) -> str:
    return composed(cell.strip().strip(_INVISIBLE).strip())


def _without_empty_columns(
    header: Line, lines: Sequence[Line], name: str, error: type[StudyError]
) -> tuple[tuple[str, ...], tuple[Line, ...]]:
    """The header and lines without columns that are empty in every line, wherever they are."""
    named = max((place for place, cell in enumerate(header.cells, 1) if cell), default=0)
    if named > MOST_COLUMNS:
        raise error(
            f"{name}, line {header.number}: {named} columns; a table has at most {MOST_COLUMNS}"
        )
    for line in lines:
        if any(line.cells[named:]):
            raise error(
                f"{name}, line {line.number}: {len(line.cells)} cells, but the header has "
                f"{named}: quote a value that holds a comma, and where commas are decimal "
                "marks, separate the columns by semicolons"
            )
    used = {place for line in lines for place, cell in enumerate(line.cells) if cell}
    kept = [place for place in range(named) if header.cells[place] or place in used]
    return (
        tuple(header.cells[place] for place in kept),
        tuple(
            Line(line.number, tuple(line.cells[place] for place in kept if place < len(line.cells)))
            for line in lines
        ),
    )
