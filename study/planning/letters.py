"""Letters to readers as text for a mail program, and dates as files for a calendar."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from study.domain.formatting import minute, plural
from study.planning.reminders import Reminder, Why
from study.storage.base import now

_LONGEST_LINE = 75
"""Octets of a line of a calendar file (RFC 5545, 3.1)."""
_HOURS = 1
_WORDS = {
    Why.NOT_BEGUN: "you are invited to this reading study and have not begun yet.",
    Why.MAY_RETURN: "the next session of this reading study is open for you since {since} UTC.",
    Why.LATE: "your last answer in this reading study was on {since} UTC.",
}


def invitation(title: str, code: str, secret: str, link: str, server: str) -> str:
    """The text of an invitation, whose first line is the subject.

    Parameters
    ----------
    title : str
        Of the study.
    code, secret : str
        For signing in again later.
    link : str
        The complete link, which signs in once.
    server : str
        URL of the readers' page.
    """
    return (
        f"Subject: Invitation to the reading study {title}\n\n"
        f"Dear colleague,\n\n"
        f"you are invited to the reading study {title}. Open this link on the computer on which "
        f"you will read; it works once:\n\n    {link}\n\n"
        f"To go on later, or on another computer, sign in at {server} with\n\n"
        f"    code    {code}\n    secret  {secret}\n\n"
        "Use a large screen in a dim room. You can stop after any pair and go on later; what you "
        "have answered is stored.\n\nPlease keep this letter to yourself.\n"
    )


def reminder(title: str, one: Reminder, server: str) -> str:
    """The text of a reminder, whose first line is the subject."""
    return (
        f"Subject: Reading study {title}: {plural(one.left, 'pair')} to read\n\n"
        f"Dear colleague {one.code},\n\n"
        f"{_WORDS[one.why].format(since=minute(one.since) if one.since else '')} "
        f"{plural(one.left, 'pair')} of images are left. Sign in at\n\n    {server}\n\n"
        "with your code and secret; the study goes on where you stopped. If you cannot go on, or "
        "have lost the secret, please answer this letter.\n"
    )


def calendar(title: str, code: str, opens: str, server: str) -> str:
    """A date for the session that opens then, as a calendar file (iCalendar, RFC 5545).

    Parameters
    ----------
    title : str
        Of the study.
    code : str
        Of the reader.
    opens : str
        When the session opens, as stored (UTC).
    server : str
        URL of the readers' page.
    """
    begin = datetime.fromisoformat(opens)
    if begin.microsecond or begin.second:  # Not a moment before it opens.
        begin = begin.replace(second=0, microsecond=0) + timedelta(minutes=1)
    uid = hashlib.sha256(f"{title}\n{code}\n{opens}".encode()).hexdigest()[:32]
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Reading Room//study//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{uid}@reading-room",
        f"DTSTAMP:{_utc(datetime.fromisoformat(now()))}",
        f"DTSTART:{_utc(begin)}",
        f"DTEND:{_utc(begin + timedelta(hours=_HOURS))}",
        f"SUMMARY:{_text(f'Second session of the reading study {title}')}",
        f"DESCRIPTION:{_text(f'The session opens now for reader {code}. Sign in at {server}')}",
        f"URL:{server}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _utc(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    """Words as a TEXT value: backslash, semicolon, comma and line feed are escaped."""
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        words = words.replace(plain, escaped)
    return words


def _folded(line: str) -> list[str]:
    """A line in parts that are short enough; those that follow begin with a space."""
    parts, size = [""], 0
    for character in line:
        more = len(character.encode())
        if size + more > _LONGEST_LINE:
            parts.append(" ")
            size = 1
        parts[-1] += character
        size += more
    return parts
