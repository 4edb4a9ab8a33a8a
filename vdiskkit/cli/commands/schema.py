"""``vdiskkit schema``: the JSON Schema of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "schema",
    cls=Command,
    exit_codes=(0,),
    examples=(
        ("schema", "the names of all schemas"),
        ("schema inspect --output inspect.schema.json", "the JSON Schema of what `inspect --json` writes"),
    ),
    short_help="Print the JSON Schema of a result.",
)
@click.argument("name", required=False, metavar="[NAME]")
@output_option
@common_options
@click.pass_obj
def command(session: Session, name: str | None) -> int:
    """Print the JSON Schema of a command's JSON result, of a plan or of the log; without NAME the names of all schemas.

    NAME is as in the member "schema" of the result (vdiskkit.inspect/1); its short form (inspect) is enough.
    """
    from vdiskkit.cli.output import open_output
    from vdiskkit.errors import UsageError
    from vdiskkit.schemas import read_schema, schema_names

    names = schema_names()
    if name is None:
        text = "".join(f"{known}\n" for known in names)
    else:
        wanted = next(
            (known for known in names if name in (known, known.removeprefix("vdiskkit.").split("/")[0])), None
        )
        if wanted is None:
            raise UsageError(f"there is no schema {name!r}", hint=f"known: {', '.join(names)}")
        text = read_schema(wanted)
    output = open_output(session)
    output.write(text)
    output.close(keep=True)
    return 0
