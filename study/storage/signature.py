"""Signed chain heads: whoever changes a study without the key cannot sign what is left.

The key is a file outside the study, at best kept by somebody who does not run it. The signature is
an HMAC-SHA256 of the chain head, in the audit log.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.errors import KeyFileError, StoreError
from study.storage.hash_chain import STUDY_ID, ChainHead, audit, chain_head, leads_to
from study.storage.models import AuditEvent

ACTION = "sign chain"
_LEAST_BYTES = 32


@dataclass(frozen=True)
class SigningKey:
    """The content of a key file."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Eight letters that tell this key from others, and nothing about it."""
        return hashlib.sha256(b"reading-room signing key\n" + self.secret).hexdigest()[:8]

    def sign(self, study_id: str, head: str) -> str:
        """The signature of a chain head, as hex."""
        text = f"reading-room chain head\n{study_id}\n{head}"
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()

    @classmethod
    def read(cls, path: Path, folder: Path) -> SigningKey:
        """Read a key file.

        Raises
        ------
        KeyFileError
            It lies in the study folder, cannot be read, or is shorter than 32 bytes.
        """
        if folder.resolve() in path.resolve().parents:
            raise KeyFileError(
                f"The signing key {path} lies in the study folder {folder}: who can change the "
                "study could sign it. Choose a path outside."
            )
        try:
            secret = path.read_bytes()
        except OSError as error:
            raise KeyFileError(
                f"The signing key {path} cannot be read: {error.strerror}. Make one: "
                f"head -c 32 /dev/urandom > {path}; chmod 600 {path}"
            ) from None
        if len(secret) < _LEAST_BYTES:
            raise KeyFileError(
                f"The signing key {path} has {len(secret)} bytes; it needs {_LEAST_BYTES} or more "
                "random ones."
            )
        return cls(secret)


def sign_chain(session: Session, key: SigningKey, actor: str) -> None:
    """Write the signature of the present chain head to the audit log."""
    head = str(chain_head(session))
    detail = f"key {key.name}, HMAC-SHA256 {key.sign(session.info[STUDY_ID], head)}"
    audit(session, actor, ACTION, target=head, detail=detail)


def signature_problems(session: Session, key: SigningKey) -> Iterator[str]:
    """Sentences about what this key has signed wrongly, or not at all."""
    signed = session.scalars(
        select(AuditEvent).where(AuditEvent.action == ACTION).order_by(AuditEvent.seq)
    ).all()
    own = [one for one in signed if one.detail.startswith(f"key {key.name}, ")]
    if not own:
        yield f"No chain head is signed by the key {key.name}: the signatures have gone."
    for one in own:
        right = f"key {key.name}, HMAC-SHA256 {key.sign(one.study_id, one.target)}"
        if not hmac.compare_digest(one.detail, right):
            yield f"The signature of audit event {one.seq} is wrong."
        elif not _continues(session, one.target):
            yield f"The rows do not continue the chain head that audit event {one.seq} signs."


def _continues(session: Session, text: str) -> bool:
    try:
        return leads_to(session, ChainHead.parse(text))
    except StoreError:
        return False
