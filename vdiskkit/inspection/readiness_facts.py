"""Facts about whether an image is fit to be copied, gathered only when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts
from vdiskkit.licensing.witness_facts import AnswerFileFacts, DiscoveredHostFacts, EventLogWitnessFacts
from vdiskkit.windows.state_facts import (
    NetlogonFacts,
    PendingRebootFacts,
    PowerFacts,
    RearmMarkerFacts,
    ScsiAdapterFacts,
    SettingsFacts,
    SetupFacts,
    StreamingFacts,
)

__all__ = ["ReadinessFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessFacts(Facts):
    r"""What decides whether an installation can be cloned as it is. None where something cannot be told.

    Attributes:
        pending_reboot: Whether Windows waits for a restart.
        setup: How far Windows Setup and sysprep have come.
        power: Hibernation and fast startup settings.
        streaming: What streamed boots left in the image.
        scsi_adapters: Instances of the SCSI adapter class.
        netlogon: Membership in a domain and the machine account's password.
        settings: Time zone, page files, event logs.
        rearm_markers: What the build tool BIS-F keeps about rearms; empty when it left nothing.
        last_shutdown: ``Control\Windows``, ShutdownTime, UTC; None also when it is not stored.
        last_servicing: When a package was last added or changed (time of the key
            ``Component Based Servicing\Packages``), UTC.
        answer_files: Answer files of Windows Setup and sysprep.
        discovered_hosts: KMS hosts cached in the image.
        event_log: What the Application event log holds about licensing.
    """

    pending_reboot: PendingRebootFacts
    setup: SetupFacts
    power: PowerFacts
    streaming: StreamingFacts
    scsi_adapters: tuple[ScsiAdapterFacts, ...] | None
    netlogon: NetlogonFacts
    settings: SettingsFacts
    rearm_markers: tuple[RearmMarkerFacts, ...] | None
    last_shutdown: datetime | None
    last_servicing: datetime | None
    answer_files: tuple[AnswerFileFacts, ...] | None
    discovered_hosts: tuple[DiscoveredHostFacts, ...] | None
    event_log: EventLogWitnessFacts | None
