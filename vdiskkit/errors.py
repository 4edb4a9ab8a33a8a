r"""The exception tree. Every error knows what, where, why, what now, and the exit code it stands for.

::

    VDiskError                        path, location, hint; exit_code for the command line
    +- UsageError                     the call itself is wrong (2)
    |  +- PolicyError                 a profile file is wrong: file, line, key
    +- SourceError                    the file cannot be opened or read (3); also an OSError
    +- FormatError                    the bytes are not what the format says (3)
    |  +- UnknownFormatError          no known signature
    |  +- ChecksumError               a checksum does not fit; carries expected and actual
    |  +- CorruptStructureError       a named structure contradicts itself or the file around it
    |  +- ReadLimitError              a limit on reading was met: the image makes its reader loop or swell
    |  +- UnsupportedFeatureError     known, but not handled (5)
    +- StateError                     well-formed, but not fit for this action (4)
    |  +- LogReplayNeededError        a hive log or $LogFile must be replayed by Windows first
    |  +- HibernatedVolumeError       a hibernated Windows (or fast startup) will resume from this volume
    |  +- InUseError                  a lock file, another writer, a share violation
    |  +- JournalPendingError         an interrupted change waits; run recover (7)
    |  +- StalePlanError              the disk changed since the plan was made
    |  +- ChangedSinceError           the disk was used since the change; undo or recover would damage it
    +- WriteRefusedError              the change is not provably safe; the message says which shape (5)
    +- PatchError                     a change failed and was rolled back (6)
    |  +- VerifyFailedError           what was staged or written is not what was asked for (6)
    |  +- RollbackFailedError         rolling back failed as well; the journal waits (7)
    +- ChainError                     the chain of versions does not hold (3)
    |  +- ParentNotFoundError         carries the paths that were tried
    |  +- ParentMismatchError         a parent was found, but its id is another one
    +- NotFoundError                  asked for something that is not there (1)
    |  +- FileMissingError            also a FileNotFoundError
    |  +- KeyMissingError             also a KeyError
    |  +- ValueMissingError           also a KeyError
    +- ValidationFailed               raised on request only: a validation found something (1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdiskkit.location import Location
    from vdiskkit.rules.facts import Finding

__all__ = [
    "ChainError",
    "ChangedSinceError",
    "ChecksumError",
    "CorruptStructureError",
    "FileMissingError",
    "FormatError",
    "HibernatedVolumeError",
    "InUseError",
    "JournalPendingError",
    "KeyMissingError",
    "LogReplayNeededError",
    "NotFoundError",
    "ParentMismatchError",
    "ParentNotFoundError",
    "PatchError",
    "PolicyError",
    "ReadLimitError",
    "RollbackFailedError",
    "SourceError",
    "StalePlanError",
    "StateError",
    "UnknownFormatError",
    "UnsupportedFeatureError",
    "UsageError",
    "VDiskError",
    "ValidationFailed",
    "ValueMissingError",
    "VerifyFailedError",
    "WriteRefusedError",
]


class VDiskError(Exception):
    """Base of every error that vdiskkit raises on purpose.

    Args:
        message: What is wrong and why, one sentence, without the place.
        location: Where it was found, as exactly as is known.
        hint: What the user can do now.
    """

    exit_code = 3

    def __init__(self, message: str, *, location: Location | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (at {self.location})" if self.location else self.message


class UsageError(VDiskError):
    """The call itself is wrong: an argument that can never work."""

    exit_code = 2


class PolicyError(UsageError):
    """A profile says something that cannot be: an unknown key, a wrong value; the location names file and line."""


class SourceError(VDiskError, OSError):
    """A file cannot be opened or read: missing, a directory, no permission, the share went away."""


class FormatError(VDiskError):
    """The bytes are not what the format says they should be."""


class UnknownFormatError(FormatError):
    """No signature that we know was found."""


class ChecksumError(FormatError):
    """A stored checksum does not fit the bytes it covers."""

    def __init__(
        self, message: str, *, expected: int, actual: int, location: Location | None = None, hint: str | None = None
    ) -> None:
        super().__init__(f"{message} (stored 0x{expected:08x}, computed 0x{actual:08x})", location=location, hint=hint)
        self.expected = expected
        self.actual = actual


class CorruptStructureError(FormatError):
    """A named structure contradicts itself or the file around it."""


class ReadLimitError(FormatError):
    """A limit on reading was met: the image makes its reader loop or ask for absurd amounts.

    Attributes:
        used_up: Whether a whole budget is spent, so that every further read would fail as well. Otherwise one structure
            asks for more than any healthy one, and the rest can still be read.
    """

    used_up: bool = False


class UnsupportedFeatureError(FormatError):
    """Recognised, but not handled; the message names the feature."""

    exit_code = 5


class StateError(VDiskError):
    """Well-formed, but not in a state in which this may be done."""

    exit_code = 4


class LogReplayNeededError(StateError):
    """A hive log or $LogFile holds changes that Windows must write back first."""


class HibernatedVolumeError(StateError):
    """A hibernated Windows, or one shut down with fast startup, will resume from this volume."""


class InUseError(StateError):
    """The disk is in use: a lock file, another writer, a share violation."""


class JournalPendingError(StateError):
    """An interrupted change waits for recovery."""

    exit_code = 7


class StalePlanError(StateError):
    """The disk is not what it was when the plan was made."""


class ChangedSinceError(StateError):
    """The disk was used since the change, so taking it back would damage it. Nothing was touched."""


class WriteRefusedError(VDiskError):
    """The change is not provably safe; the message says which shape is refused and why."""

    exit_code = 5


class PatchError(VDiskError):
    """A change failed and was rolled back: the files are as they were before."""

    exit_code = 6


class VerifyFailedError(PatchError):
    """What was staged or written is not what was asked for."""


class RollbackFailedError(PatchError):
    """A change failed, and so did rolling it back; the journal waits for recovery."""

    exit_code = 7


class ChainError(VDiskError):
    """The chain of a differencing disk does not hold."""


class ParentNotFoundError(ChainError):
    """No parent file was found; ``tried`` lists where it was looked for."""

    def __init__(
        self, message: str, *, tried: tuple[str, ...] = (), location: Location | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, location=location, hint=hint)
        self.tried = tried


class ParentMismatchError(ChainError):
    """A parent file was found, but it is not the one the child was made from."""


class NotFoundError(VDiskError):
    """What was asked for is not there; nothing is wrong with the disk."""

    exit_code = 1


class FileMissingError(NotFoundError, FileNotFoundError):
    """A file or directory does not exist inside the image."""


class KeyMissingError(NotFoundError, KeyError):
    """A registry key does not exist."""

    __str__ = VDiskError.__str__


class ValueMissingError(NotFoundError, KeyError):
    """A registry value does not exist."""

    __str__ = VDiskError.__str__


class ValidationFailed(VDiskError):  # noqa: N818 - it says what happened, and nothing went wrong in the program
    """Raised on request only: a validation found something. ``findings`` carries what."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        findings: tuple[Finding, ...] = (),
        location: Location | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, location=location, hint=hint)
        self.findings = findings
