"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def index_option(command: Command) -> Command:
    """``--index``; where it is left out, the settings say which."""
    option = click.option(
        "--index",
        "folder",
        default=None,
        show_default="pincite.index",
        type=click.Path(path_type=Path),
        help="The folder of the index, or milvus://HOST:19530/NAME. Also PINCITE_INDEX, or `index` in pincite.toml.",
    )
    return option(command)


def reader_option(command: Command) -> Command:
    """``--reader``."""
    option = click.option(
        "--reader",
        default=None,
        metavar="NAME",
        help="Which reader proposes evidence: trained, if left out, or similarity. Also PINCITE_READER.",
    )
    return option(command)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def model_options(command: Command) -> Command:
    """Which language model words answers. No key among them: whoever is on the machine can read a command line."""
    address = click.option(
        "--llm-base-url",
        metavar="URL",
        default=None,
        help="An OpenAI-compatible API whose model words answers. Also PINCITE_LLM_BASE_URL.",
    )
    name = click.option(
        "--llm-model", metavar="NAME", default=None, help="The name of that model. Also PINCITE_LLM_MODEL."
    )
    seconds = click.option(
        "--llm-seconds", default=None, type=float, help="The most time it gets for an answer; 20 if left out."
    )
    return address(name(seconds(command)))


def no_model_option(command: Command) -> Command:
    """``--no-llm``."""
    option = click.option("--no-llm", is_flag=True, help="Ask no language model, whatever the settings say.")
    return option(command)


def chosen(
    llm_base_url: str | None, llm_model: str | None, llm_seconds: float | None, no_llm: bool = False
) -> dict[str, Any]:
    """The values of `model_options` and `no_model_option` as the settings take them; ``None`` was not given."""
    return {"base_url": "" if no_llm else llm_base_url, "model": llm_model, "seconds": llm_seconds}
