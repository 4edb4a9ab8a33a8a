"""Commands whose help shows examples and exit codes, and a group that loads them at first need."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.exitcodes import CANCELLED, INTERNAL, MEANING, USAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdiskkit.cli.session import Session

__all__ = ["Command", "LazyGroup", "command_name"]

ENV_PREFIX = "VDISKKIT"


class Command(click.Command):
    """A command with examples and exit codes below its options.

    Args:
        examples: Command lines without the program name, each with one line that says what it does.
        exit_codes: Codes that this command can give besides usage errors, bugs and Ctrl-C.
        schema: Name of the JSON Schema of its result, if it has one.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - handed on to click as they are
        examples: Sequence[tuple[str, str]],
        exit_codes: Sequence[int],
        schema: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.exit_codes = (*exit_codes, USAGE, INTERNAL, CANCELLED)
        self.schema = schema

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, exit codes and environment variables as they are, without rewrapping command lines."""
        with formatter.section("Examples"):
            for line, what in self.examples:
                formatter.write(f"  vdiskkit {line}\n      {what}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), MEANING[code]) for code in sorted(set(self.exit_codes))])
        prefix = ctx.auto_envvar_prefix
        formatter.write(
            f"\nEvery option can also be set by a variable: {prefix}_OPTION, such as {prefix}_COLOR=never.\n"
        )

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Start logging, then run."""
        session: Session = ctx.obj
        if self.schema:
            session.schema = self.schema
        session.command = command_name(ctx)
        session.target = ctx.params.get("disk")
        session.targets = [text for value in ctx.params.values() for text in _texts(value)]
        session.start()
        try:
            return super().invoke(ctx)
        except EOFError as exc:
            # click takes it for Ctrl-D at a prompt and would call a bug "cancelled".
            raise RuntimeError("unexpected end of file") from exc


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is run or its help is asked for.

    Args:
        commands_in: Command name to its module and its one-line help.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - handed on to click as they are
        commands_in: Mapping[str, tuple[str, str]],
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self.commands_in = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Names in the order of the table."""
        return list(self.commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module and return its ``command``."""
        if cmd_name not in self.commands_in:
            return None
        module, _ = self.commands_in[cmd_name]
        command: click.Command = import_module(module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a near miss the message names the right one."""
        name = args[0] if args else ""
        if name not in self.commands_in and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name.lower(), self.commands_in, n=1)
            meant = f", did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"there is no command '{name}'{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in self.commands_in.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where to read on."""
        formatter.write(f"\nSee `{ctx.command_path} COMMAND --help` for examples and exit codes.\n")


def command_name(ctx: click.Context) -> str:
    """The command without the program's name: ``reg set``; empty for the program itself."""
    return ctx.command_path.partition(" ")[2]


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - whatever a parameter holds
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, tuple) else []
