"""Arguments that several commands share, and the request that a command line and its files give."""

import argparse
import getpass
from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, TypeVar

from assay.errors import InputError
from assay.options import Option, add_arguments, build, given_arguments, overlay, read_options_file, read_values
from assay.storage import place_or_default

R = TypeVar("R")


def local(place: str) -> Path:
    """Return a path of this machine, for argparse. `Path` would make a folder `s3:` of a URL."""
    if "://" in place:
        raise argparse.ArgumentTypeError(f"{place} is a URL; name a place on this machine")
    return Path(place)


def add_registry(parser: argparse.ArgumentParser) -> None:
    """Add `--registry`; `registry_of` reads it."""
    parser.add_argument(
        "--registry",
        default="",
        help="folder or URL of the registry (default: ASSAY_REGISTRY, otherwise registry in the work folder)",
    )


def registry_of(arguments: argparse.Namespace) -> str:
    """Return the registry's folder or URL."""
    return place_or_default(arguments.registry, "ASSAY_REGISTRY", "registry")


def add_request(
    parser: argparse.ArgumentParser, options: Mapping[str, Option], spelled: Mapping[str, str] | None = None
) -> None:
    """Add `--config` and an argument for each option; `request_of` reads them. `spelled` as in `add_arguments`."""
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        type=local,
        metavar="FILE",
        help="options as YAML or JSON, by their names with _ for -; an option of the command line takes precedence, "
        "and a recipe or preset there replaces its settings in the file",
    )
    add_arguments(parser, options, spelled=spelled)


def request_of(
    kind: type[R],
    arguments: argparse.Namespace,
    options: Mapping[str, Option],
    spelled: Mapping[str, str] | None = None,
) -> R:
    """Return the request of a command line and the files of its `--config`, later files over earlier ones.

    A file may hold any option of the request, also those of other commands with the same request. Raise InputError for
    anything that cannot be used, and if a required option is missing.
    """
    given: dict[str, Any] = {}
    for file in arguments.config:
        found = read_options_file(file)
        read_values(kind, found, where=str(file))  # an error names the file
        given = overlay(kind, given, found)
    given = overlay(kind, given, given_arguments(arguments, options))
    for name, option in options.items():
        if option.default is MISSING and name not in given:
            flag = (spelled or {}).get(name, "--" + name.replace("_", "-"))
            raise InputError(f"{flag} is missing", fix=f"Give {flag}, or {name} in a file of --config")
    return build(kind, given)


def user(given: str) -> str:
    """Return the name that goes into a log: the one given, or the user of this machine.

    Raise InputError if neither is known.
    """
    try:
        return given or getpass.getuser()
    except (OSError, KeyError) as error:  # the user of a container may have no name
        raise InputError("your name is unknown", fix="Give it with --who") from error
