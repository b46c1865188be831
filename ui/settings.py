"""Settings: flags come before ``PINCITE_…`` environment variables, which come before the file ``pincite.toml``.

What is about the language model stands in the table ``[llm]`` of the file, and in ``PINCITE_LLM_…`` variables.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from index.errors import UsageError
from index.milvus_server import TOKEN as MILVUS_TOKEN
from index.milvus_server import Address, is_address
from rag.llm import LlmSettings

FILE = "pincite.toml"
_PREFIX = "PINCITE_"


class Settings(BaseSettings):
    """What the commands and the server are started with. Load it with `load`, which gives readable errors.

    Attributes:
        index: the folder of the index, or the address of a library in Milvus.
        state: the folder of accounts, conversations and the audit log; that of the index if left out.
        reader: which reader proposes evidence; the best one if left out.
        host, port: the address to listen on; port 0 takes a free one.
        page: whether the browser page is served beside the API.
        allowed_hosts: names, other than the address itself, that browsers may reach the server by.
        behind_proxy: trust the ``X-Forwarded-…`` headers of a proxy on this machine.
        rate: requests a minute for each caller; ``ask_rate``: of these, questions and searches.
        workers: questions answered at once; ``waiting``: questions that may wait for their turn.
        upload_limit: the most bytes of one upload; ``body_limit``: of any other request.
        session_days: after so many days without use, a user signs in again.
        log_content: log the words of questions and answers too, which the log leaves out otherwise.
        llm: the language model that words answers, if any.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="_", env_nested_max_split=1, extra="forbid", frozen=True
    )

    index: Path = Path("pincite.index")
    state: Path | None = None
    reader: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=0, le=65535)
    page: bool = True
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    behind_proxy: bool = False
    rate: int = Field(default=6000, ge=1)
    ask_rate: int = Field(default=600, ge=1)
    workers: int = Field(default=2, ge=1, le=64)
    waiting: int = Field(default=256, ge=0)
    upload_limit: int = Field(default=64 * 1024 * 1024, ge=1024)
    body_limit: int = Field(default=2 * 1024 * 1024, ge=1024)
    session_days: float = Field(default=14, gt=0)
    log_content: bool = False
    llm: LlmSettings = Field(default_factory=LlmSettings)

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file; nothing else is read."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(FILE))

    @property
    def keeps(self) -> Path:
        """The folder of accounts, conversations and the audit log.

        Raises:
            UsageError: the library is in Milvus, which has no place for them, and no folder was named.
        """
        if self.state:
            return self.state
        if is_address(self.index):
            raise UsageError(
                f"{Address.parse(str(self.index))} has no place for accounts and conversations: name a folder of this "
                "machine for them with PINCITE_STATE, or `state` in pincite.toml"
            )
        return self.index

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server, by name as well as by address."""
        return is_loopback(self.host) and all(is_loopback(name) for name in self.allowed_hosts)


def is_loopback(host: str) -> bool:
    """Whether a name or address stands for this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load(llm: dict[str, Any] | None = None, **flags: Any) -> Settings:  # noqa: ANN401  whatever was given
    """The settings from flags (those that are ``None`` were not given), the environment and the file.

    Args:
        llm: flags that are about the language model.

    Raises:
        UsageError: a key or variable is unknown, a value is wrong, or the file cannot be read.
    """
    known = {_PREFIX + name.upper() for name in Settings.model_fields if name != "llm"}
    known.add(MILVUS_TOKEN)  # read where it is used, and from the environment alone
    known |= {f"{_PREFIX}LLM_{name.upper()}" for name in LlmSettings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    if unknown:
        raise UsageError(f"there is no setting {unknown[0]}: use one of {', '.join(sorted(known))}")
    try:
        return Settings(**_given(flags | ({"llm": _given(llm)} if llm else {})))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(f"there is no setting {name!r}: correct {FILE}") from error
        raise UsageError(f"the setting {name!r} is wrong ({first['msg']}): correct it") from error
    except ValueError as error:  # the file is not TOML, or a variable that holds a list is not JSON
        raise UsageError(f"cannot read the settings ({error}): correct {FILE} or the environment") from error


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}
