"""The pages of a server of several studies: each reader's and coordinator's own studies.

Nothing about a study is shown, not even that there is one, before somebody signs in to it; the
studies have their own pages below ``/study/NAME``. Code and secret belong to one study, so that
readers sign in at ``/reader/`` without saying which. Invitations lead there, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from study.accounts.any_study import STUDIES, AnyStudySignIn
from study.accounts.readers import USED, ReaderAccount, ReaderSignIn
from study.accounts.sign_in import AccountT, Row, SignIn
from study.accounts.staff import StaffAccount, StaffRole, StaffSignIn
from study.domain.errors import DiskFull, SignInError, StudyError
from study.domain.reader_texts import ENGLISH
from study.domain.terms import Status
from study.planning.progress_report import ProgressReport, progress_report
from study.storage.models import Reader, Staff
from study.storage.store import Store
from study.web import reader_api
from study.web.coordinator import routes as coordinator
from study.web.login_forms import client_address, signed_in, to_page
from study.web.login_pages import (
    coordinator_list_page,
    no_study_page,
    reader_list_page,
    refused,
)
from study.web.schemas import Short

ShortForm = Annotated[Short, Form()]


@dataclass(frozen=True)
class ListedStudy:
    """A study in somebody's list.

    Parameters
    ----------
    path : str
        Of its page, from the list.
    title, code : str
    status : str
        For readers draft, open or over; for coordinators that of the study.
    done, planned : int
        Pairs, of the reader or of all of them.
    language : str
    admin : bool
        Whether the list is that of an administrator of this study.
    attention : bool
        Whether its page tells of something to look after.
    """

    path: str
    title: str
    code: str
    status: str
    done: int
    planned: int
    language: str
    admin: bool = False
    attention: bool = False


def router(studies: Sequence[tuple[str, Store]], not_open: int = 0) -> APIRouter:
    """The lists of readers and coordinators, to be included after the studies are mounted.

    Parameters
    ----------
    studies : sequence of (str, Store)
        Path below the server, such as ``/study/1f2e3d``, and store of each; at least one.
    not_open : int
        Studies that could not be opened, of which administrators are told the number.
    """
    routes = APIRouter(include_in_schema=False)
    languages = {store.protocol().language for _, store in studies}
    language = languages.pop() if len(languages) == 1 else ENGLISH
    _readers(routes, [ReaderSignIn(store, root=root) for root, store in studies], language)
    _coordinators(routes, [StaffSignIn(store, root=root) for root, store in studies], not_open)

    @routes.get(STUDIES + "/{rest:path}")
    def unknown(rest: str) -> Response:
        return no_study_page(language, "../" * (rest.count("/") + 1) + "reader/")

    return routes


def _readers(routes: APIRouter, studies: Sequence[ReaderSignIn], language: str) -> None:
    prefix, accounts = reader_api.PREFIX, AnyStudySignIn(studies)

    def page(request: Request, problem: SignInError | None = None, code: str = "") -> Response:
        found = _sorted(accounts.listed(request, _of_reader))
        spoken = found[0].language if found else language
        return reader_list_page(spoken, found, problem, code)

    @routes.get(f"{prefix}/")
    def reader_list(request: Request) -> Response:
        return page(request)

    @routes.get(f"{prefix}/login")
    def login_page() -> Response:
        return to_page()

    @routes.post(f"{prefix}/login")
    async def login(request: Request, code: ShortForm, secret: ShortForm) -> Response:
        address = client_address(request)
        try:
            study, account = await accounts.sign_in_in_turn(code, secret, address=address)
        except SignInError as error:
            return await run_in_threadpool(page, request, error, code)
        there = f"..{study.root}{prefix}/"
        return await run_in_threadpool(signed_in, request, study, account, there)

    @routes.get(f"{prefix}/join/{{token}}")
    def invitation(request: Request, token: str) -> Response:
        for study in studies:
            with suppress(StudyError):
                if study.has_invited(token):
                    return to_page(f"../..{study.root}{prefix}/join/{token}")
        return page(request, SignInError(USED, "login.used"))

    @routes.post(f"{prefix}/logout")
    def logout(request: Request) -> Response:
        return _signed_out(request, accounts)


def _coordinators(routes: APIRouter, studies: Sequence[StaffSignIn], not_open: int) -> None:
    prefix, accounts = coordinator.PREFIX, AnyStudySignIn(studies)

    def page(request: Request, problem: str = "", name: str = "") -> HTMLResponse:
        found = _sorted(accounts.listed(request, _of_staff))
        told = not_open if any(study.admin for study in found) else 0
        return coordinator_list_page(found, told, problem, name)

    @routes.get(f"{prefix}/")
    def coordinator_list(request: Request) -> Response:
        return page(request)

    @routes.get(f"{prefix}/login")
    def login_page() -> Response:
        return to_page()

    @routes.post(f"{prefix}/login")
    async def login(request: Request, name: ShortForm, secret: ShortForm) -> Response:
        address = client_address(request)
        try:
            study, account = await accounts.sign_in_in_turn(name, secret, address=address)
        except SignInError as error:
            return refused(await run_in_threadpool(page, request, str(error), name), error)
        except DiskFull as error:
            shown = await run_in_threadpool(page, request, str(error), name)
            shown.status_code = 507
            return shown
        there = f"..{study.root}{prefix}/"
        return await run_in_threadpool(signed_in, request, study, account, there)

    @routes.post(f"{prefix}/logout")
    def logout(request: Request) -> Response:
        return _signed_out(request, accounts)


def _signed_out(request: Request, accounts: AnyStudySignIn[Row, AccountT]) -> Response:
    """Sign out of all studies, and go to the list."""
    accounts.listed(request, lambda study, account: study.sign_out(account))
    answer = to_page()
    for study in accounts.studies:
        if study.cookie_name in request.cookies:
            answer.delete_cookie(study.cookie_name, path=study.cookie_path)
    return answer


def _of_reader(study: SignIn[Reader, ReaderAccount], account: ReaderAccount) -> ListedStudy:
    found = progress_report(study.store)
    own = next(one for one in found.readers if one.code == account.code)
    return _listed(found, f"..{study.root}{reader_api.PREFIX}/", own.done, own.planned)


def _of_staff(study: SignIn[Staff, StaffAccount], account: StaffAccount) -> ListedStudy:
    found = progress_report(study.store)
    shown = _listed(found, f"..{study.root}{coordinator.PREFIX}/", found.done, found.planned)
    admin = account.role is StaffRole.ADMIN
    return replace(shown, admin=admin, status=found.status, attention=bool(found.attention))


def _listed(found: ProgressReport, path: str, done: int, planned: int) -> ListedStudy:
    status = "draft" if found.status in (Status.DRAFT, Status.FROZEN) else "over"
    return ListedStudy(
        path, found.protocol.title, found.code, "open" if found.status is Status.OPEN else status,
        done, planned, found.protocol.language,
    )  # fmt: skip


def _sorted(studies: Sequence[ListedStudy]) -> list[ListedStudy]:
    return sorted(studies, key=lambda study: (study.title.casefold(), study.code, study.path))
