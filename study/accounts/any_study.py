"""Sign-in at a server of several studies: a code and secret belong to one of them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from enhancers.http_limits.addresses import address_group
from study.accounts.rate_limit import RateLimit
from study.accounts.sign_in import AccountT, RequestWithCookies, Row, SignIn, in_turn
from study.accounts.sign_in_queue import SignInQueue, sign_in_queue
from study.domain.errors import SignInError, StudyError

STUDIES = "/study"
"""Path of the studies of a server of several; their names below it say nothing."""
Result = TypeVar("Result")
_log = logging.getLogger("study.accounts")


class AnyStudySignIn(Generic[Row, AccountT]):
    """Finds the study that a code and secret belong to; every secret is random, and of one study.

    Wrong secrets are counted here, and by no study: nobody waits for what was tried elsewhere.

    Parameters
    ----------
    studies : sequence of SignIn
        One for each study, all of readers or all of staff.
    rate_limit : RateLimit, optional
    queue : SignInQueue, optional
    """

    def __init__(
        self,
        studies: Sequence[SignIn[Row, AccountT]],
        rate_limit: RateLimit | None = None,
        queue: SignInQueue | None = None,
    ) -> None:
        self.studies: tuple[SignIn[Row, AccountT], ...] = tuple(studies)
        self._rate_limit = rate_limit or RateLimit()
        self._queue = queue or sign_in_queue()

    def sign_in(
        self, code: str, secret: str, *, address: str
    ) -> tuple[SignIn[Row, AccountT], AccountT]:
        """The study that code and secret belong to, and the account there; see `SignIn.sign_in`.

        Every study is asked, whichever it is, so that the time does not tell.

        Raises
        ------
        SignInError
            They belong to none.
        """
        first = self.studies[0]
        known, group = first.normalised(code), address_group(address)
        found = [study for study in self.studies if self._matches(study, code, secret)]
        if not found:
            self._rate_limit.failed(group, known)
            raise SignInError(first.wrong, "login.wrong")
        self._rate_limit.succeeded(group, known)
        return found[0], found[0].sign_in(code, secret, address=address)

    async def sign_in_in_turn(
        self, code: str, secret: str, *, address: str
    ) -> tuple[SignIn[Row, AccountT], AccountT]:
        """`sign_in` in the threads for it; raises SignInBusy too, where too many wait."""
        job = functools.partial(self.sign_in, code, secret, address=address)
        known = self.studies[0].normalised(code)
        return await in_turn(self._queue, self._rate_limit, job, code=known, address=address)

    def listed(
        self,
        request: RequestWithCookies,
        describe: Callable[[SignIn[Row, AccountT], AccountT], Result],
    ) -> list[Result]:
        """What `describe` makes of each study where a browser is signed in; others are left out."""
        found = []
        for study in self.studies:
            try:
                account = study.account_of(request)
                if account is not None:
                    found.append(describe(study, account))
            except StudyError as error:
                _failed(study, error)
        return found

    @staticmethod
    def _matches(study: SignIn[Row, AccountT], code: str, secret: str) -> bool:
        try:
            return study.matches(code, secret)
        except StudyError as error:
            _failed(study, error)
            return False


def _failed(study: SignIn[Row, AccountT], error: StudyError) -> None:
    _log.error("The study in %s cannot be read: %s", study.store.folder, error)
