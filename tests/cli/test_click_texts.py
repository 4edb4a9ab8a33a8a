"""What click says of a wrong command line: one line of plain text, whatever kind of error it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from vdiskkit.cli.errors import error_text
from vdiskkit.cli.run import _usage_error
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Outcome

LINES = "first:\n\tone,\n\ttwo\n  three.\n"


def kinds(base: type[click.ClickException] = click.ClickException) -> Iterator[type[click.ClickException]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def made(kind: type[click.ClickException]) -> click.ClickException:
    choice = click.Option(["--kind"], type=click.Choice(["one", "two"]))
    context = click.Context(click.Command("x", params=[choice]), info_name="x")
    if kind is click.MissingParameter:
        return click.MissingParameter(LINES, context, choice)
    if issubclass(kind, click.NoSuchOption):
        return kind("--kin\n\td", LINES, ["--kind"], context)
    if issubclass(kind, click.BadOptionUsage):
        return kind("--kind", LINES, context)
    if issubclass(kind, click.FileError):
        return kind("name", LINES)
    if issubclass(kind, click.exceptions.NoArgsIsHelpError):
        return kind(context)
    if kind.__name__ == "NoSuchCommand":
        return kind("kin", LINES, ["kind"], context)
    return kind(LINES)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_of_click_is_one_plain_line(kind: type[click.ClickException]) -> None:
    if kind is click.exceptions.NoArgsIsHelpError:
        return  # the help text, which is not shown as an error
    shown = error_text(_usage_error(made(kind), Session())).splitlines()
    assert len(shown) == 2
    assert "\\u{" not in shown[0]
    assert "first: one, two three" in shown[0]
    assert not any(ord(char) < 32 for char in shown[0])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("completion",), "Missing argument 'SHELL'. Choose from: bash, zsh, fish, powershell"),
        (("inspect", "--no-such"), "No such option '--no-such'"),
        (("inspect", "--jsno"), "No such option '--jsno'. Did you mean '--json'?"),
        (("inspect", "x", "--color"), "Option '--color' requires an argument"),
        (("inspect", "x", "--color", "red"), "'red' is not one of 'auto', 'always', 'never'"),
        (("inspect", "x", "--volume", "a\nb"), "'a\\nb' is not a valid integer"),
        (("reg", "get", "x"), "Missing argument 'PATH'"),
        (("rule",), "Missing argument 'CODE'"),
        (("rule", "KMS110", "more\n"), "Got unexpected extra argument"),
        (("inpsect", "x"), "there is no command 'inpsect', did you mean 'inspect'?"),
        (("reg", "got"), "there is no command 'got', did you mean 'get'?"),
        (("inspect", "x", "--json=1"), "Option '--json' does not take a value"),
    ],
)
def test_wrong_command_lines(run: Callable[..., Outcome], args: tuple[str, ...], message: str) -> None:
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert "\\u{" not in first
    assert second.startswith("  hint  see `vdiskkit")
    told = run(*args, "--json") if "--json=1" not in args else None
    if told is not None and told.out:
        assert "\n" not in told.json["error"]["message"]
