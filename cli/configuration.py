"""`evolgraph.toml`: defaults of the options, and tables of endpoints."""

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import click
from pydantic import TypeAdapter, ValidationError

from ..endpoints.endpoint import Endpoint
from ..errors import EvolgraphError

DEFAULT_FILE: Final = Path("evolgraph.toml")
_NOT_IN_FILES: Final = ("config", "endpoint", "model", "key-env")
"""A file names its endpoints in [[endpoint]] tables, and no other file."""
ENDPOINT_KEYS: Final = tuple(one.name for one in fields(Endpoint))
_SERVERS_OWN: Final = "server"
"""In a file, what leaves `temperature` or `max_tokens` to the server: TOML has no null."""
_LEAVABLE: Final = ("temperature", "max_tokens")


class ConfigError(EvolgraphError):
    """A config file that cannot be used."""

    kind = "config"


def load(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Makes the file's values the defaults of the command's options; `evolgraph.toml` is read when it is there.

    Raises ConfigError for a missing or broken file and for an unknown key, naming the nearest one.
    """
    path, values = _read(path)
    if path is None:
        return None
    ctx.meta["endpoints"] = _endpoints(values.pop("endpoint", []), path)
    known = _options(ctx)
    for key, value in values.items():
        _known(key, [*known], path)
        _fits(known[_spelled(key)], key, value, path)
    ctx.default_map = {str(known[_spelled(key)].name): value for key, value in values.items()}
    return path


def load_endpoints(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Reads the file's [[endpoint]] tables alone, for commands that share `evolve`'s file but not its options.

    Raises ConfigError for a missing or broken file and for a table that cannot be used.
    """
    path, values = _read(path)
    if path is not None:
        ctx.meta["endpoints"] = _endpoints(values.get("endpoint", []), path)
    return path


def _read(path: Path | None) -> tuple[Path | None, dict[str, Any]]:
    """The file that is meant, `evolgraph.toml` where it is there and none is named, and what stands in it."""
    path = path or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    if path is None:
        return None, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("no such file", where=str(path)) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error


def _options(ctx: click.Context) -> dict[str, click.Option]:
    """The options that a file may set, by their names on the command line."""
    options = [option for option in ctx.command.params if isinstance(option, click.Option)]
    named = {max(option.opts, key=len).removeprefix("--"): option for option in options}
    return {name: option for name, option in named.items() if name not in _NOT_IN_FILES}


def _spelled(key: str) -> str:
    return key.replace("_", "-")


def _known(key: str, names: Sequence[str], path: Path) -> None:
    if _spelled(key) in map(_spelled, names):
        return
    near = difflib.get_close_matches(_spelled(key), names, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
    raise ConfigError(f"unknown key {key!r}", where=str(path), remedy=hint)


def _fits(option: click.Option, key: str, value: Any, path: Path) -> None:
    if isinstance(value, list) != option.multiple or isinstance(value, dict):
        wanted = "a list" if option.multiple else "a single value"
        raise ConfigError(f"{key} is {value!r}, not {wanted}", where=str(path))


def _endpoints(tables: Any, path: Path) -> tuple[Endpoint, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise ConfigError("endpoint is not a list of tables", where=str(path), remedy="write [[endpoint]]")
    found = []
    for table in tables:
        for key in table:
            _known(key, ENDPOINT_KEYS, path)
        if missing := [key for key in ("url", "model") if key not in table]:
            raise ConfigError(f"an endpoint has no {missing[0]}", where=str(path))
        left = {key: None for key in _LEAVABLE if table.get(key) == _SERVERS_OWN}
        try:
            found.append(TypeAdapter(Endpoint).validate_python({**table, **left}))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            remedy = f'write a number, or "{_SERVERS_OWN}" to leave it out' if field in _LEAVABLE else ""
            raise ConfigError(f"endpoint.{field}: {first['msg']}", where=str(path), remedy=remedy) from error
    return tuple(found)


def endpoints_of(
    ctx: click.Context, urls: Sequence[str], models: Sequence[str], key_env: str | None
) -> tuple[Endpoint, ...]:
    """The endpoints that the options name, or else the config file's; none means the embedded model.

    Raises ConfigError when URLs and models do not pair up.
    """
    if not urls and (models or key_env):
        raise ConfigError("--model and --key-env belong to an endpoint", remedy="add --endpoint URL")
    if not urls:
        return ctx.meta.get("endpoints", ())
    if len(models) not in (1, len(urls)):
        raise ConfigError("endpoints and models do not pair up", remedy="give each --endpoint its --model")
    paired = zip(urls, models if len(models) == len(urls) else [models[0]] * len(urls), strict=True)
    return tuple(Endpoint(url=url, model=model, key_env=key_env) for url, model in paired)


def endpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a command that shares `evolve`'s file is told its endpoints."""
    for option in (
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            callback=load_endpoints,
            help="A file with [[endpoint]] tables.",
        ),
        click.option("--key-env", metavar="NAME", help="Environment variable that holds the endpoints' key."),
        click.option(
            "--model", "models", multiple=True, help="Model that the endpoint serves; one for all, or one each."
        ),
        click.option(
            "--endpoint", "endpoint_urls", multiple=True, metavar="URL", help="OpenAI-compatible server; repeatable."
        ),
    ):
        command = option(command)
    return command
