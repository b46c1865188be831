"""What only an administrator may read over HTTP: the figures of the server, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from ui import problems
from ui.api import Limit, Offset, Who
from ui.audit import Action, Entries
from ui.bodies import ID
from ui.problems import ForbiddenError
from ui.watch import MEDIA_TYPE

if TYPE_CHECKING:
    from ui.models import Caller
    from ui.service import Service


def routes(service: Service) -> APIRouter:
    """The routes over a service. Where there are no accounts, whoever reaches the server is its admin."""
    admin = APIRouter(responses=problems.described(401, 403, 422, 429))

    @admin.get(
        "/metrics",
        tags=["admin"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
    )
    async def metrics(caller: Who) -> Response:
        """What the server has done since it started, in Prometheus' format."""
        _need_admin(caller)
        return Response(service.watch.metrics(), media_type=MEDIA_TYPE)

    @admin.get("/api/v1/audit", tags=["admin"], response_model=Entries)
    async def audit(
        caller: Who,
        user: Annotated[str | None, Query(max_length=200)] = None,
        action: Action | None = None,
        document: Annotated[str | None, Query(pattern=ID)] = None,
        since: datetime | None = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Entries:
        """Who added, removed, shared and saw which documents, and who was let in; the latest first."""
        _need_admin(caller)
        return await service.desk.run(service.audit.entries, user, action, document, since, limit, offset)

    return admin


def _need_admin(caller: Caller) -> None:
    if caller.role != "admin":
        raise ForbiddenError(f"your role is {caller.role}: ask an admin")
