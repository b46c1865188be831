"""A language model behind an OpenAI-compatible address: text as it is written, or a plain reason why there is none."""

from __future__ import annotations

import importlib.util
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.errors import PinciteError, UsageError

if TYPE_CHECKING:
    from openai import OpenAI

_TRIES = 4
_FIRST_WAIT = 0.25  # seconds; doubled after each try
_LONGEST = 20_000  # characters; a model that writes more than this does not come to an end
_LOOK = 0.1  # seconds between looks whether to go on waiting
_NO_API = "check that it is that of an OpenAI-compatible API, which mostly ends in /v1"

Message = Mapping[str, str]


class ModelError(PinciteError):
    """The model gave no whole answer.

    The message says why, in words for a reader; ``advice`` says what whoever runs this can do about it.
    """

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.advice = advice


class LlmSettings(BaseSettings):
    """Which model writes. Fields that are left out come from ``PINCITE_LLM_…`` environment variables.

    Attributes:
        base_url: of an OpenAI-compatible API, such as ``http://localhost:11434/v1``; no model is asked where it is
            empty.
        model: its name there.
        api_key: never logged nor shown.
        seconds: the most time that an answer may wait for the model, tries and all.
        window: the most tokens that the model takes, prompt and answer together.
        answer_tokens: the most tokens that it may write.
    """

    model_config = SettingsConfigDict(env_prefix="PINCITE_LLM_", extra="forbid", frozen=True)

    base_url: str | None = None
    model: str | None = None
    api_key: SecretStr | None = None
    seconds: float = Field(default=20.0, gt=0)
    window: int = Field(default=4096, ge=512)
    answer_tokens: int = Field(default=400, ge=16)

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        """An address that may be shown: a name or a password in it would be."""
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("it begins with http:// or https:// and holds no name or password: a key is set apart")
        return value


def read_settings(**given: object) -> LlmSettings:
    """The settings that are given, and the rest from ``PINCITE_LLM_…`` variables.

    Raises:
        UsageError: a value is wrong.
    """
    try:
        return LlmSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"PINCITE_LLM_{name.upper()} is wrong ({first['msg']}): correct it") from error


class Llm:
    """One model. Each call makes its own connection, and closes it when it is left."""

    def __init__(self, settings: LlmSettings) -> None:
        """Make ready to ask the model; nothing is sent yet.

        Raises:
            UsageError: the address or the model is not set, or the package ``openai`` is missing.
        """
        if not settings.base_url:
            raise UsageError("no language model has an address: give it with --llm-base-url or PINCITE_LLM_BASE_URL")
        if not settings.model:
            raise UsageError(
                f"no language model of {settings.base_url} is chosen: name one with --llm-model or PINCITE_LLM_MODEL"
                " (`pincite models` lists them)"
            )
        _need_client()
        self.settings = settings
        self.name = settings.model

    def stream(
        self, messages: Sequence[Message], deadline: float, stop: threading.Event | None = None
    ) -> Iterator[str]:
        """What the model writes, piece by piece. Closing the iterator cancels the request.

        Args:
            messages: as the API takes them.
            deadline: the `time.monotonic` at which to give up, whatever the server does.
            stop: gives up as soon as it is set, by whichever thread.

        Raises:
            ModelError: no whole answer came.
        """
        given_up = threading.Event()
        pieces: queue.Queue[str | Exception | None] = queue.Queue()
        # The server is read beside the caller: a server that trickles, or never lets go, cannot hold the answer up.
        client = _client(self.settings, max(deadline - monotonic(), 0.01))
        reading = threading.Thread(target=self._read, args=(client, messages, deadline, pieces, given_up), daemon=True)
        reading.start()
        try:
            while True:
                if stop and stop.is_set():
                    raise ModelError("the language model was stopped")
                left = deadline - monotonic()
                if left <= 0:
                    raise ModelError("the language model took too long")
                try:
                    piece = pieces.get(timeout=min(left, _LOOK))
                except queue.Empty:
                    continue
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            given_up.set()
            client.close()  # under the hands of who reads, which ends it at the next byte

    def _read(
        self,
        client: OpenAI,
        messages: Sequence[Message],
        deadline: float,
        pieces: queue.Queue[str | Exception | None],
        given_up: threading.Event,
    ) -> None:
        """Put the answer's pieces in a queue, then ``None`` or the error that ended it."""
        wait = _FIRST_WAIT
        for left in reversed(range(_TRIES)):
            begun = False
            try:
                for piece in self._pieces(client, messages):
                    begun = True
                    pieces.put(piece)
                pieces.put(None)
                return
            except ModelError as error:
                pieces.put(error)
                return
            except _broken() as error:
                pause = max(wait, _retry_after(error) or 0.0)
                if begun or not left or not _may_pass(error) or monotonic() + pause >= deadline:
                    pieces.put(ModelError("the language model broke off in the middle") if begun else _why(error))
                    return
                if given_up.wait(pause):
                    return
                wait *= 2
            except RuntimeError:  # what a closed client raises: the caller left before this thread had begun
                if not given_up.is_set():
                    raise
                return

    def _pieces(self, client: OpenAI, messages: Sequence[Message]) -> Iterator[str]:
        stream: Any = client.chat.completions.create(
            model=self.name,
            messages=cast("Any", [dict(message) for message in messages]),
            temperature=0.0,
            max_tokens=self.settings.answer_tokens,
            stream=True,
        )
        ended: str | None = None
        length = 0
        with stream:
            for chunk in stream:
                for choice in (getattr(chunk, "choices", None) or ())[:1]:
                    ended = choice.finish_reason or ended
                    if choice.delta and choice.delta.content:
                        length += len(choice.delta.content)
                        if length > _LONGEST:
                            raise ModelError("the language model did not come to an end")
                        yield choice.delta.content
        if ended != "stop":
            raise ModelError("the language model broke off in the middle")


def reachable(settings: LlmSettings) -> list[str]:
    """The names of the models that the address of the settings offers.

    Raises:
        UsageError: no address is set, or the package ``openai`` is missing.
        ModelError: it cannot be reached, or refuses.
    """
    if not settings.base_url:
        raise UsageError(
            "no language model is set, and none is needed: to use one, give its address with --llm-base-url or"
            " PINCITE_LLM_BASE_URL, such as http://localhost:11434/v1"
        )
    _need_client()
    import openai

    with _client(settings, settings.seconds) as client:
        try:
            return sorted(model.id for model in client.models.list())
        except (openai.NotFoundError, AttributeError) as error:  # the latter where a page comes instead of JSON
            raise ModelError("no language models are listed at that address", _NO_API) from error
        except _broken() as error:
            raise _why(error) from error


def _need_client() -> None:
    if importlib.util.find_spec("openai") is None:
        raise UsageError("a language model needs the package openai: pip install 'pincite[llm]'")


def _client(settings: LlmSettings, seconds: float) -> OpenAI:
    """A client for one try, which ends within so many seconds without a word."""
    import openai

    key = settings.api_key.get_secret_value() if settings.api_key else "none"
    return openai.OpenAI(base_url=settings.base_url, api_key=key, max_retries=0, timeout=seconds)


def _broken() -> tuple[type[Exception], ...]:
    """What a call can raise: the client's own errors, and what it lets through where a server breaks the protocol."""
    import httpx2
    import openai

    return (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ValueError)


def _may_pass(error: Exception) -> bool:
    """Whether another try may go better: no connection, too many requests, or a server in trouble."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return bool(error.status_code == 429 or error.status_code >= 500)
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def _retry_after(error: Exception) -> float | None:
    import openai

    if isinstance(error, openai.APIStatusError):
        told = error.response.headers.get("retry-after", "")
        return float(told) if told.isdigit() else None
    return None


def _why(error: Exception) -> ModelError:
    """The reason in words of ours; never what the server said, which may repeat the request."""
    import openai

    match error:
        case openai.APITimeoutError():
            return ModelError("the language model took too long", "give it more time with PINCITE_LLM_SECONDS")
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ModelError("the language model refused the key", "put one that it takes into PINCITE_LLM_API_KEY")
        case openai.NotFoundError():
            return ModelError(
                "the language model's address knows no such model", "see what there is with `pincite models`"
            )
        case openai.RateLimitError():
            return ModelError("the language model is asked too often just now", "try again in a minute")
        case openai.APIStatusError() if error.status_code >= 500:
            return ModelError(f"the language model failed (HTTP {error.status_code})", "look at its server's log")
        case openai.APIStatusError():
            return ModelError(
                f"the language model refused the request (HTTP {error.status_code})", "look at its server's log"
            )
        case openai.APIConnectionError():
            return ModelError("the language model cannot be reached", "start it, or correct PINCITE_LLM_BASE_URL")
        case _:
            return ModelError(
                "the language model's server gave no answer that can be read",
                _NO_API,
            )
