"""``vdiskkit kms-prep``: the values and files that prepare an image for KMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.plan import Plan

__all__ = ["command"]


@click.command(
    "kms-prep",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        ("kms-prep win10.vhd --skip-rearm 0 --remove-tokens --dry-run", "the plan; nothing is written"),
        ("kms-prep win10.vhd --skip-rearm 0 --remove-tokens --yes", "done, without a question"),
        ("kms-prep win10.vhd --kms-host kms.example.com --kms-port 1688 --check", "exit code 1 when that is not so"),
    ),
    short_help="Set values and remove files, as KMS preparation asks for.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.option("--skip-rearm", type=click.Choice(["0", "1", "absent"]), help="The SkipRearm value, or none.")
@click.option("--kms-host", metavar="NAME|absent", help="The KMS host; absent: it is found by DNS.")
@click.option("--kms-port", metavar="N|absent", help="Its TCP port; absent: 1688.")
@click.option("--remove-tokens", is_flag=True, help="Remove tokens.dat and cache.dat of every Windows token store.")
@click.option("--office", is_flag=True, help="Include Office: the host for its services, and its own token store.")
@change_options
@click.pass_obj
def command(
    session: Session,
    disk: str,
    skip_rearm: str | None,
    kms_host: str | None,
    kms_port: str | None,
    remove_tokens: bool,
    office: bool,
) -> int:
    """Set what the preparation of an image for KMS asks for: SkipRearm, KMS host and port, no token store.

    What is not named is left as it is, and what is so already is not written. The steps that only the running Windows
    can do (slmgr /rilc, /ipk) are not done; the plan says which.
    """
    from vdiskkit.cli.change import carry_out

    def make(path: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        return vdiskkit.plan_kms_prep(
            path,
            skip_rearm=int(skip_rearm) if skip_rearm in ("0", "1") else skip_rearm,
            kms_host=kms_host,
            kms_port=kms_port,
            remove_tokens=remove_tokens,
            office=office,
            **arguments,
        )

    return carry_out(session, disk, make)
