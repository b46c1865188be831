"""The commands ``serve``, ``mcp``, ``models``, ``user …``, ``key …`` and ``audit``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from index.errors import PinciteError, StoreError
from ui.audit import Action, Audit
from ui.options import chosen, index_option, json_option, model_options, reader_option

if TYPE_CHECKING:
    from ui.accounts import Accounts, User
    from ui.state import State

_ROLES = ("reader", "editor", "admin")


@click.command()
@index_option
@click.option("--host", default=None, help="The address to listen on; 127.0.0.1 if left out.")
@click.option("--port", default=None, type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option("--page/--no-page", default=None, help="Whether the browser page is served beside the API.")
@reader_option
@model_options
def serve(
    folder: Path | None,
    host: str | None,
    port: int | None,
    page: bool | None,
    reader: str | None,
    **llm: Any,  # noqa: ANN401  see `model_options`
) -> None:
    """Serve the browser page, the HTTP API and MCP."""
    from ui.settings import load

    run(load(index=folder, host=host, port=port, page=page, reader=reader, llm=chosen(**llm)))


def run(settings: Any) -> None:  # noqa: ANN401  Settings, imported only by who serves
    """Serve until a signal says to stop; then what has begun is finished."""
    import socket

    import uvicorn

    from ui.connections import Impatient, Server
    from ui.memory import keep_little
    from ui.server import create_app
    from ui.watch import to_standard_error

    keep_little()
    app = create_app(settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise StoreError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): choose another with --port"
        ) from error
    config = uvicorn.Config(
        app,
        http=Impatient,
        log_config=None,  # its own errors go where ours go
        log_level="warning",
        access_log=False,  # its lines hold what people search for
        server_header=False,
        proxy_headers=settings.behind_proxy,
        limit_concurrency=1000,
        timeout_graceful_shutdown=30,  # what a full queue of questions takes on two cores
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    with listening:
        app.state.service.open()  # here, so that an index that cannot be used is told in one line
        click.echo(f"pincite on http://{host}:{listening.getsockname()[1]}", err=True)
        to_standard_error(settings.log_content)
        Server(config, app.state.end).run([listening])


@click.command()
@index_option
def mcp(folder: Path | None) -> None:
    """Serve MCP on standard input and output, for an assistant that starts programs."""
    import anyio

    from ui.mcp_server import serve_stdio
    from ui.settings import load

    anyio.run(serve_stdio, load(index=folder))


@click.command()
@model_options
@json_option
def models(as_json: bool, **llm: Any) -> None:  # noqa: ANN401  see `model_options`
    """Say which language models can be reached, and whether the one that is set is among them."""
    from rag.llm import ModelError, reachable
    from ui.settings import load

    settings = load(llm=chosen(**llm)).llm
    try:
        names = reachable(settings)
    except ModelError as error:
        raise PinciteError(f"{settings.base_url}: {error}; {error.advice}") from error
    if as_json:
        told = {"base_url": settings.base_url, "models": names, "model": settings.model}
        click.echo(json.dumps(told | {"ready": settings.model in names}))
    for name in [] if as_json else names:
        click.echo(f"{name}  (words the answers)" if name == settings.model else name)
    if not names:
        raise PinciteError(f"{settings.base_url} offers no model: load one there")
    if settings.model is None:
        click.echo("none is chosen, so none is asked: name one with --llm-model or PINCITE_LLM_MODEL", err=True)
    elif settings.model not in names:
        raise PinciteError(f"{settings.base_url} has no model {settings.model!r}: name one that is listed")


@contextmanager
def _state(folder: Path | None) -> Iterator[State]:
    from ui.settings import load
    from ui.state import State

    state = State(load(index=folder).keeps)
    try:
        yield state
    finally:
        state.close()


@contextmanager
def _accounts(folder: Path | None) -> Iterator[Accounts]:
    from ui.accounts import Accounts

    with _state(folder) as state:
        yield Accounts(state)


@click.group()
def user() -> None:
    """Who may sign in, and what they may do."""


_role_option = click.option(
    "--role", type=click.Choice(_ROLES), help="A reader asks, an editor also changes documents."
)
_group_option = click.option("--group", "groups", multiple=True, help="A group whose documents it may see; repeatable.")
_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


@user.command(name="add")
@click.argument("name")
@_role_option
@_group_option
@_password_option
@click.option("--no-password", is_flag=True, help="It signs in with API keys alone.")
@index_option
@json_option
def user_add(
    name: str,
    role: str | None,
    groups: tuple[str, ...],
    password_stdin: bool,
    no_password: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Add a user. The first one must be an admin."""
    password = None if no_password else _password(password_stdin)
    with _accounts(folder) as accounts:
        _print(accounts.add(name, role or ("reader" if accounts.exist() else "admin"), password, groups), as_json)  # type: ignore[arg-type]


@user.command(name="set")
@click.argument("name")
@_role_option
@_group_option
@click.option("--no-groups", is_flag=True, help="Take it out of all groups.")
@click.option("--password", "new_password", is_flag=True, help="Ask for a new password.")
@_password_option
@index_option
@json_option
def user_set(
    name: str,
    role: str | None,
    groups: tuple[str, ...],
    no_groups: bool,
    new_password: bool,
    password_stdin: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Change a user's role, groups or password."""
    password = _password(password_stdin) if new_password or password_stdin else None
    with _accounts(folder) as accounts:
        _print(accounts.change(name, role, password, groups if groups or no_groups else None), as_json)  # type: ignore[arg-type]


@user.command(name="remove")
@click.argument("name")
@index_option
@json_option
def user_remove(name: str, folder: Path | None, as_json: bool) -> None:
    """Remove a user with its keys, sessions and conversations."""
    with _accounts(folder) as accounts:
        removed = accounts.remove(name)
    click.echo(json.dumps({"removed": removed.name}) if as_json else f"removed {removed.name}")


@user.command(name="list")
@index_option
@json_option
def user_list(folder: Path | None, as_json: bool) -> None:
    """List the users."""
    with _accounts(folder) as accounts:
        users = accounts.users()
    for one in users:
        _print(one, as_json)
    if not users and not as_json:
        click.echo("no users: whoever uses this machine is the admin; add one with `pincite user add NAME`")


@click.group()
def key() -> None:
    """API keys."""


@key.command(name="add")
@click.argument("name")
@click.option("--label", default="", help="What it is for.")
@index_option
@json_option
def key_add(name: str, label: str, folder: Path | None, as_json: bool) -> None:
    """Make an API key for a user; it is shown once."""
    with _accounts(folder) as accounts:
        made = accounts.add_key(name, label)
    click.echo(json.dumps({"user": name, "key": made}) if as_json else made)


@key.command(name="list")
@index_option
@json_option
def key_list(folder: Path | None, as_json: bool) -> None:
    """List the API keys, without their secrets."""
    with _accounts(folder) as accounts:
        for one in accounts.list_keys():
            click.echo(json.dumps(one._asdict()) if as_json else f"{one.id}  {one.user}  {one.label}  ({one.created})")


@key.command(name="remove")
@click.argument("key_id")
@index_option
@json_option
def key_remove(key_id: str, folder: Path | None, as_json: bool) -> None:
    """Remove an API key, by its id."""
    with _accounts(folder) as accounts:
        accounts.remove_key(key_id)
    click.echo(json.dumps({"removed": key_id}) if as_json else f"removed {key_id}")


@click.command()
@click.option("--user", "name", help="Only what this user did; shell:NAME for a login of this machine.")
@click.option("--action", type=click.Choice(get_args(Action)), help="Only this.")
@click.option("--document", help="Only what was done to the document of this id, or who saw its words.")
@click.option("--since", type=click.DateTime(), help="Only from this day, or time of a day, on.")
@click.option("-n", "limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="The latest so many.")
@index_option
@json_option
def audit(
    name: str | None,
    action: str | None,
    document: str | None,
    since: datetime | None,
    limit: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Tell who added, removed, shared and saw which documents, and who was let in; the latest last."""
    with _state(folder) as state:
        found = Audit(state).entries(name, action, document, since, limit)
    for one in reversed(found.items):
        if as_json:
            click.echo(one.model_dump_json())
            continue
        known = (*one.documents, *(f"{what} {told}" for what, told in one.detail.items() if told))
        at = one.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"{at}  {one.user or '?'}  {one.action}  {one.subject}  ({', '.join(known)})")
    if not found.items and not as_json:
        click.echo("nothing is noted that fits")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return click.prompt("Password", hide_input=True, confirmation_prompt="Once more")


def _print(one: User, as_json: bool) -> None:
    groups = f"  groups {', '.join(one.groups)}" if one.groups else ""
    click.echo(json.dumps(one._asdict()) if as_json else f"{one.name}  {one.role}{groups}")
