"""Accounts: users with roles and groups, passwords, API keys and sessions.

Passwords are kept as argon2id with 19 MiB, two passes and one lane (OWASP, "Password Storage Cheat Sheet"); keys and
sessions are 32 random bytes, of which the SHA-256 is kept. Where there are no users at all, whoever reaches the server
from this machine is its admin.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, get_args

from index.errors import UsageError
from ui.audit import Audit, shell
from ui.models import Caller, Role
from ui.problems import SignInError, TooManyError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from ui.state import State

LOCAL = Caller(name="local", role="admin")
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000
_PREFIX = "pincite"
_TRIES = 5  # wrong passwords for a name before it is locked
_LOCKED = 60.0  # seconds after the fifth, doubled by each further one
_LONGEST_LOCK = 15 * 60.0
_DAY = 24 * 3600.0
_RENEW = 60.0  # seconds between two writes that keep a session alive
_NAME = re.compile(r"[^\W_][\w.@+-]{0,63}")


class User(NamedTuple):
    """A line of ``pincite user list``."""

    name: str
    role: Role
    groups: tuple[str, ...]
    created: str


class Key(NamedTuple):
    """A line of ``pincite key list``."""

    id: str
    user: str
    label: str
    created: str


class Accounts:
    """Who there is, and who a request comes from."""

    def __init__(self, state: State, session_days: float = 14) -> None:
        self._state = state
        self._audit = Audit(state)
        self._session_seconds = session_days * _DAY
        self._hasher_: PasswordHasher | None = None
        self._nobody = ""

    @property
    def _hasher(self) -> PasswordHasher:
        if self._hasher_ is None:
            from argon2 import PasswordHasher

            self._hasher_ = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
            self._nobody = self._hasher_.hash(secrets.token_hex())
        return self._hasher_

    def exist(self) -> bool:
        """Whether there is any user; without, there is nothing to sign in to."""
        return bool(self._state.value("SELECT EXISTS (SELECT 1 FROM users)"))

    # users

    def add(self, name: str, role: Role, password: str | None, groups: Iterable[str] = ()) -> User:
        """Add a user; without a password it can only use API keys.

        Raises:
            UsageError: the name is taken or not a name, the role is unknown, or the password is too short.
        """
        name, hashed, groups = _name(name, "user"), self._hash(password), tuple(groups)
        if role not in get_args(Role):
            raise UsageError(f"there is no role {role!r}: use one of {', '.join(get_args(Role))}")
        with self._state.transaction():
            if self._state.row("SELECT 1 FROM users WHERE name = ?", name):
                raise UsageError(f"there is a user {name!r} already: change it with `pincite user set {name}`")
            if not self.exist() and role != "admin":
                raise UsageError("the first user must be an admin: add it with --role admin")
            # What was done before there were accounts stays with whoever has the folder, not with a name.
            self._state.do("DELETE FROM conversations WHERE user = ?", name)
            self._state.do("INSERT INTO users VALUES (?, ?, ?, ?)", name, role, hashed, self._state.time())
            self._join(name, groups)
            self._audit.note(shell(), "user add", name, role=role, groups=_told(groups))
        return self.user(name)

    def change(
        self, name: str, role: Role | None = None, password: str | None = None, groups: Sequence[str] | None = None
    ) -> User:
        """Change what is given; a new password or role ends the user's sessions.

        Raises:
            UsageError: there is no such user, it is the last admin, or the password is too short.
        """
        hashed = self._hash(password)
        with self._state.transaction():
            before = self.user(name)
            if role and role != before.role:
                self._keep_an_admin(before)
                self._state.do("UPDATE users SET role = ? WHERE name = ?", role, name)
            if hashed:
                self._state.do("UPDATE users SET password = ? WHERE name = ?", hashed, name)
                self._state.do("DELETE FROM failures WHERE name = ?", _marked(name))
            if groups is not None:
                self._state.do("DELETE FROM members WHERE user = ?", name)
                self._join(name, groups)
            if hashed or (role and role != before.role):
                self._state.do("DELETE FROM sessions WHERE user = ?", name)
            given = {"role": role, "groups": None if groups is None else _told(groups), "password": hashed and "new"}
            self._audit.note(shell(), "user set", name, **{what: to for what, to in given.items() if to is not None})
        return self.user(name)

    def remove(self, name: str) -> User:
        """Remove a user with its keys, sessions, conversations and feedback.

        Raises:
            UsageError: there is no such user, or it is the last admin while others are left.
        """
        with self._state.transaction():
            user = self.user(name)
            if len(self.users()) > 1:
                self._keep_an_admin(user)
            self._state.do("DELETE FROM conversations WHERE user = ?", name)
            self._state.do("DELETE FROM failures WHERE name = ?", _marked(name))
            self._state.do("DELETE FROM users WHERE name = ?", name)
            self._audit.note(shell(), "user remove", name)
        return user

    def user(self, name: str) -> User:
        """The user of this name.

        Raises:
            UsageError: there is none.
        """
        row = self._state.row("SELECT name, role, created FROM users WHERE name = ?", name)
        if row is None:
            raise UsageError(f"there is no user {name!r}: see `pincite user list`")
        return User(row["name"], row["role"], self._groups(name), row["created"])

    def users(self) -> list[User]:
        """All users, by name."""
        return [self.user(row["name"]) for row in self._state.rows("SELECT name FROM users ORDER BY name")]

    def groups(self) -> list[str]:
        """The names of all groups that anyone is in."""
        return [row[0] for row in self._state.rows("SELECT DISTINCT name FROM members ORDER BY name")]

    def _groups(self, name: str) -> tuple[str, ...]:
        return tuple(r[0] for r in self._state.rows("SELECT name FROM members WHERE user = ? ORDER BY name", name))

    def _join(self, name: str, groups: Iterable[str]) -> None:
        for group in {_name(group, "group") for group in groups}:
            self._state.do("INSERT INTO members VALUES (?, ?)", name, group)

    def _keep_an_admin(self, user: User) -> None:
        if user.role == "admin" and self._state.value("SELECT count(*) FROM users WHERE role = 'admin'") == 1:
            raise UsageError(f"{user.name!r} is the last admin: make another one first")

    def _hash(self, password: str | None) -> str | None:
        if password is None:
            return None
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise UsageError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters: choose another")
        return self._hasher.hash(_typed(password))

    # keys

    def add_key(self, user: str, label: str = "") -> str:
        """Make an API key for a user; returned once and never again.

        Raises:
            UsageError: there is no such user.
        """
        self.user(user)
        id_, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        values = (id_, user, label[:100], _digest(secret), self._state.time())
        with self._state.transaction():
            self._state.do("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", *values)
            self._audit.note(shell(), "key add", id_, owner=user)
        return f"{_PREFIX}_{id_}_{secret}"

    def list_keys(self, user: str | None = None) -> list[Key]:
        """All keys, or one user's, without their secrets."""
        rows = self._state.rows("SELECT id, user, label, created FROM keys ORDER BY user, created, id")
        return [Key(*row) for row in rows if user in (None, row["user"])]

    def remove_key(self, id_: str) -> None:
        """Remove an API key.

        Raises:
            UsageError: there is none of that id.
        """
        with self._state.transaction():
            if not self._state.do("DELETE FROM keys WHERE id = ?", id_):
                raise UsageError(f"there is no key {id_!r}: see `pincite key list`")
            self._audit.note(shell(), "key remove", id_)

    # who a request comes from

    def by_key(self, key: str) -> Caller:
        """The user of an API key.

        Raises:
            SignInError: nobody's.
        """
        prefix, _, rest = key.partition("_")
        id_, _, secret = rest.partition("_")
        row = self._state.row("SELECT user, digest FROM keys WHERE id = ?", id_) if prefix == _PREFIX else None
        if row is None or not hmac.compare_digest(row["digest"], _digest(secret)):
            raise SignInError("the API key is not known here: make one with `pincite key add USER`")
        return self.caller(row["user"])

    def by_session(self, token: str) -> Caller | None:
        """The user of a session that is still alive."""
        digest, now = _digest(token), self._state.clock().timestamp()
        row = self._state.row("SELECT user, used FROM sessions WHERE digest = ?", digest)
        if row is None or now - row["used"] > self._session_seconds:
            return None
        if now - row["used"] > _RENEW:
            self._state.do("UPDATE sessions SET used = ? WHERE digest = ?", now, digest)
        return self.caller(row["user"])

    def caller(self, name: str) -> Caller:
        """A user as a caller.

        Raises:
            SignInError: the user has been removed meanwhile.
        """
        row = self._state.row("SELECT role FROM users WHERE name = ?", name)
        if row is None:
            raise SignInError("this account has been removed: sign in with another")
        return Caller(name=name, role=row["role"], groups=frozenset(self._groups(name)))

    def sign_in(self, name: str, password: str) -> str:
        """Check a password and begin a session; returns its token.

        A name that is not there takes as long as one that is, and is locked like one.

        Raises:
            SignInError: the name or password is wrong.
            TooManyError: there were too many wrong ones.
        """
        from argon2.exceptions import VerificationError

        now = self._state.clock().timestamp()
        name, password = _typed(name[:200])[:64], _typed(password[: LONGEST_PASSWORD + 1])
        known = self._state.row("SELECT name, password FROM users WHERE name = ?", name)
        hasher = self._hasher
        told = known["name"] if known else ""  # whatever else stands in the field of the name may be a password
        try:
            self._attempt(name, now)
            hasher.verify((known and known["password"]) or self._nobody, password)
        except TooManyError:
            self._audit.note("", "sign in refused", told, why="locked")
            raise
        except VerificationError as error:
            self._audit.note("", "sign in refused", told, why="password")
            raise SignInError("the name or the password is wrong: try again") from error
        if known is None or known["password"] is None:
            self._audit.note("", "sign in refused", told, why="password")
            raise SignInError("the name or the password is wrong: try again")
        token = secrets.token_urlsafe(32)
        with self._state.transaction():
            self._state.do("DELETE FROM failures WHERE name = ?", _marked(name))
            self._state.do("DELETE FROM sessions WHERE used < ?", now - self._session_seconds)
            self._state.do("INSERT INTO sessions VALUES (?, ?, ?)", _digest(token), name, now)
            self._audit.note(name, "sign in", name)
        return token

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._state.transaction():
            row = self._state.row("DELETE FROM sessions WHERE digest = ? RETURNING user", _digest(token))
            if row:
                self._audit.note(row["user"], "sign out", row["user"])

    def _attempt(self, name: str, now: float) -> None:
        """Count a try before its password is looked at, so that many at once gain nothing; a right one clears it."""
        mark = _marked(name)
        with self._state.transaction():
            row = self._state.row("SELECT count, last FROM failures WHERE name = ?", mark)
            count = row["count"] if row and now - row["last"] < _DAY else 0
            if row and count >= _TRIES:
                wait = row["last"] + min(_LOCKED * 2 ** (count - _TRIES), _LONGEST_LOCK) - now
                if wait > 0:
                    raise TooManyError("too many wrong passwords for this name: wait, then try again", int(wait) + 1)
            self._state.do("DELETE FROM failures WHERE last < ?", now - _DAY)
            self._state.do("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", mark, count + 1, now)


def _told(groups: Iterable[str]) -> str:
    return ", ".join(sorted(groups))


def _name(text: str, what: str) -> str:
    """A name of a user or group, as it is kept."""
    text = _typed(text)
    if not _NAME.fullmatch(text):
        raise UsageError(f"{text!r} is no name for a {what}: use letters, digits, and any of . _ @ + - after the first")
    return text


def _typed(text: str) -> str:
    """What was typed, the same whichever keyboard composed its letters."""
    return unicodedata.normalize("NFKC", text)


def _marked(name: str) -> str:
    """A name that somebody tried, as it is remembered: it may be a password, typed into the wrong field."""
    return _digest(name).hex()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
