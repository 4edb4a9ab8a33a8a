"""``vdiskkit completion``: what a shell needs to complete our commands, options and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import ENV_PREFIX, Command
from vdiskkit.cli.options import common_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]

_HELP = """Print the script with which SHELL (bash, zsh, fish or powershell) completes commands, options and files.

Put this line into the file that the shell reads at its start:

\b
  PowerShell, $PROFILE: vdiskkit completion powershell | Out-String | Invoke-Expression
  bash, ~/.bashrc:      eval "$(vdiskkit completion bash)"
  zsh, ~/.zshrc:        eval "$(vdiskkit completion zsh)"
  fish, config.fish:    vdiskkit completion fish | source

bash must be 4.4 or later, and zsh must have run compinit before. The command `vdiskkit` is completed, not
`python -m vdiskkit`.
"""


@click.command(
    "completion",
    cls=Command,
    exit_codes=(0,),
    examples=(
        ("completion powershell", "the script for Windows PowerShell 5.1 and PowerShell 7"),
        ("completion bash --output vdiskkit.bash", "the script for bash in a file, to be sourced"),
    ),
    help=_HELP,
    short_help="Print the completion script of a shell.",
)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
@output_option
@common_options
@click.pass_obj
def command(session: Session, shell: str) -> int:
    """Print the completion script of a shell."""
    from vdiskkit.cli.output import open_output

    script = _script(shell)
    output = open_output(session)
    output.write_bytes(script.encode())  # with the line ends of Unix, which bash for Windows needs
    output.close(keep=True)
    return 0


def _script(shell: str) -> str:
    from click.shell_completion import ShellComplete, get_completion_class

    from vdiskkit.cli.app import root

    found = get_completion_class(shell)
    if found is None:
        from vdiskkit.errors import UsageError

        raise UsageError(f"the installed click knows no completion for {shell}", hint="install click 8.5 or later")
    # Not its own source(): that of bash asks whatever bash this machine has for its version, and complains.
    return ShellComplete.source(found(root, {}, "vdiskkit", f"_{ENV_PREFIX}_COMPLETE"))
