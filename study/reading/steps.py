"""Steps of a reader between pairs: consent, withdrawal, profile, display check, start."""

from __future__ import annotations

import json
from dataclasses import asdict

from study.domain.errors import ProtocolError, WrongScreen
from study.domain.screens import FREQUENCIES, PATCHES, ConsentText, Device, Display, ScreenKind
from study.reading import consent
from study.reading.consent import consent_digest, last_consent
from study.reading.next_pair import upcoming
from study.reading.reader_state import require
from study.storage.models import DisplayCheck, Reader, now
from study.storage.store import Store


def accept(store: Store, reader_id: str, digest: str) -> None:
    """Store the consent to the text with this digest.

    Raises
    ------
    WrongScreen
        Consent is not the next step, or the text is another one.
    """
    screen = require(store, reader_id, ScreenKind.CONSENT)
    if not isinstance(screen.body, ConsentText) or screen.body.digest != digest:
        raise WrongScreen("The text to agree to is another one. Read it again.")
    with store.write() as session:
        consent.accept(session, reader_id, digest)


def withdraw(store: Store, reader_id: str) -> None:
    """Store a withdrawal, if there is none yet."""
    with store.write() as session:
        last = last_consent(session, reader_id)
        if last is None or last.action != "withdrawn":
            consent.withdraw(session, reader_id, consent_digest(store.protocol()))


def save_profile(
    store: Store, reader_id: str, *, specialty: str, experience_years: int, frequency: str
) -> None:
    """Store the profile of a reader.

    Raises
    ------
    ProtocolError
        A value is not possible.
    WrongScreen
        The profile is not the next step.
    """
    require(store, reader_id, ScreenKind.PROFILE)
    specialty = " ".join(specialty.split())
    if not 1 <= len(specialty) <= 80:
        raise ProtocolError("Give your specialty in 1 to 80 letters.")
    if not 0 <= experience_years <= 70:
        raise ProtocolError(f"{experience_years} years of experience are not possible: 0 to 70.")
    if frequency not in FREQUENCIES:
        raise ProtocolError(f"Choose how often you read such images: {', '.join(FREQUENCIES)}.")
    with store.write() as session:
        reader = session.get_one(Reader, reader_id)
        reader.specialty = specialty
        reader.experience_years = experience_years
        reader.profile_json = json.dumps({"reads_such_images": frequency})


def save_display(
    store: Store, reader_id: str, found: Display, device: Device | None = None
) -> bool:
    """Store a display check on a device, and return whether it was passed.

    Raises
    ------
    ProtocolError
        The window is too small for this study, or the answers are not complete.
    WrongScreen
        The display check is not the next step.
    """
    require(store, reader_id, ScreenKind.DISPLAY, device=device)
    protocol = store.protocol()
    if len(found.seen) != PATCHES:
        raise ProtocolError(f"The check has {PATCHES} patches, {len(found.seen)} were answered.")
    if found.width < protocol.least_width or found.height < protocol.least_height:
        raise ProtocolError(
            f"The window has {found.width} x {found.height} pixels; this study needs at least "
            f"{protocol.least_width} x {protocol.least_height}. Enlarge it."
        )
    passed = all(found.seen) and found.ends_seen and found.dim_room
    where = {} if device is None else {"device": asdict(device)}
    detail = json.dumps({**asdict(found), **where}, sort_keys=True)
    with store.write() as session:
        session.add(DisplayCheck(reader_id=reader_id, passed=passed, detail_json=detail))
    return passed


def start(store: Store, reader_id: str, device: Device | None = None) -> None:
    """Start the next session on a device.

    Raises
    ------
    WrongScreen
        No session can be started now.
    """
    require(store, reader_id, ScreenKind.READY, device=device)
    with store.write() as session:
        following = upcoming(session, reader_id)
        if following is not None and following[1].started_at is None:
            following[1].started_at = now()
