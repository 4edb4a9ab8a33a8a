"""Rules about the licensing of Office."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.kms_host import judge_hosts, office_value
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.licensing.facts import OfficeFacts
    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_OFFICE_DOC = "learn.microsoft.com: volume activation of Office; GVLKs for KMS activation of Office"
_REARM_DOC = "learn.microsoft.com: rearm the Office installation (ospprearm.exe)"
_VERSIONS = "Office 2010 and later"
_MARKER = "lic_bisf_rearmof_run"


def _products(context: Context) -> tuple[OfficeFacts, ...] | Unknown:
    if context.licensing is None:
        return gaps.no_windows(context)
    lost = gaps.unreadable(context, "licensing.office_unreadable")
    return lost or context.licensing.office


@rule(
    "OFF101",
    "Office is a volume edition",
    severity="note",
    reads="product codes of MSI installations, ProductReleaseIds of Click-to-Run",
    judgement="passes without Office or with volume products; gives a note for retail and Microsoft 365 products",
    why="Retail and subscription products are licensed per user or machine over the internet; KMS does nothing for "
    "them.",
    fix="none when it is meant; otherwise install the volume edition (Office Deployment Tool, product id ...Volume)",
    versions=_VERSIONS,
    source=_OFFICE_DOC,
)
def volume_edition(context: Context) -> Iterator[Outcome]:
    """Judge how Office is sold."""
    products = _products(context)
    if isinstance(products, Unknown):
        yield products
        return
    for office in products:
        if office.volume is False:
            yield Problem(
                "Office is no volume edition, so KMS does not license it", _place(context, office), _name(office)
            )
        elif office.volume:
            yield Passed(f"{_name(office)}: volume edition")
    unknown = [office for office in products if office.volume is None]
    if unknown:
        yield Unknown(f"whether {_name(unknown[0])} is a volume edition cannot be told")


@rule(
    "OFF102",
    "The Office key is a KMS client key",
    severity="error",
    reads="DigitalProductID of each volume product, decoded and looked up among the published KMS client keys; the "
    "channel stored with it",
    judgement="when KMS is wanted: passes with KMS client keys, published or by their channel, or without volume "
    "Office; fails with a key of another channel; not determinable for Click-to-Run, which stores no key, and for a "
    "key that is in no list and has no channel",
    why="With a MAK the targets use up its activations one by one, and after a while Office stops activating.",
    fix="start the vDisk in Private mode and run `cscript ospp.vbs /inpkey:<KMS client key of this Office>`, then seal "
    "again",
    versions=_VERSIONS,
    source=_OFFICE_DOC,
)
def key(context: Context) -> Iterator[Outcome]:
    """Judge Office keys where KMS is wanted."""
    if not context.kms_wanted:
        yield NotApplicable("KMS is not wanted")
        return
    products = _products(context)
    if isinstance(products, Unknown):
        yield products
        return
    unknown = []
    for office in products:
        if office.volume is False:
            continue
        found = office.product_key
        if found is None or found.client_key is None:
            unknown.append(office)
        elif not found.client_key:
            channel = f", channel {found.channel}" if found.channel else ""
            yield Problem(
                "the key of a volume Office is no KMS client key",
                _place(context, office),
                f"{_name(office)}: {found.key}{channel}",
            )
        else:
            by_channel = "" if found.is_gvlk else ", by its channel; Microsoft's list does not have it"
            yield Passed(f"{_name(office)}: {found.key or 'removed from the registry'}{by_channel}")
    if unknown:
        yield Unknown(f"{_name(unknown[0])} stores no key that can be read, or one of no known kind")


@rule(
    "OFF103",
    "Office asks the expected KMS host",
    severity="warning",
    reads="KeyManagementServiceName and -Port of Office's own service and of Office's application ids, both registry "
    "views",
    judgement="as for Windows: passes when none is set or it is the kms_host of the profile; warns when the profile "
    "names none; fails when it is another one",
    why="A name in the registry overrides DNS, and Office has settings of its own that are easily forgotten.",
    fix="`cscript ospp.vbs /remhst` in Private mode, or vdiskkit kms-prep DISK --kms-host absent --office",
    versions=_VERSIONS,
    source=_OFFICE_DOC,
)
def host(context: Context) -> Iterator[Outcome]:
    """Judge the KMS host of Office."""
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.kms_unreadable")
    if lost is not None:
        yield lost
        return
    yield from judge_hosts(context, [value for value in context.licensing.kms_host if office_value(value)])


@rule(
    "OFF104",
    "The token store of Office is there",
    severity="warning",
    reads=r"ProgramData\Microsoft\OfficeSoftwareProtectionPlatform\tokens.dat, where an installed Office has a "
    r"licensing service of its own",
    judgement="passes when it is there or not needed; warns when it is missing",
    why="Office builds the store anew at its next start, and needs its key again; in Standard mode at every start.",
    fix="start the vDisk in Private mode, start an Office program once, run `cscript ospp.vbs /inpkey:<key>`, seal "
    "again",
    versions="Office 2010; Office 2013 and 2016 on Windows 7 and Server 2008 R2",
    source="observed",
)
def tokens(context: Context) -> Iterator[Outcome]:
    """Look for Office's tokens.dat."""
    products = _products(context)
    if isinstance(products, Unknown):
        yield products
        return
    lost = gaps.unreadable(context, "licensing.store_unreadable")
    if lost is not None:
        yield lost
        return
    if not any(office.licensing_service == "ospp" for office in products):
        yield NotApplicable("no Office with a licensing service of its own is installed")
        return
    stores = context.licensing.token_stores if context.licensing is not None else ()
    for store in stores:
        if store.kind == "office" and not any(file.path.casefold().endswith("\\tokens.dat") for file in store.files):
            yield Problem("Office's tokens.dat is missing", context.at(f"ntfs:\\{store.path}"))


@rule(
    "OFF105",
    "Office was rearmed",
    severity="warning",
    reads=r"the marker of the build tool BIS-F: HKLM\SOFTWARE\Login Consultants\BISF, LIC_BISF_RearmOF_run",
    judgement="with a volume Office that has its own licensing service: passes when the tool says that it ran, warns "
    "when it says that it did not; not determinable without the tool, as the rearm count is encrypted",
    why="Without a rearm all clones share Office's client machine id, and the KMS host counts them once. Five rearms "
    "are all there are.",
    fix="run OSPPREARM.EXE as the last step before shutting the vDisk down, each time before it is sealed",
    versions="Office 2010; Office 2013 and 2016 on Windows 7 and Server 2008 R2",
    source=_REARM_DOC,
)
def rearmed(context: Context) -> Iterator[Outcome]:
    """Judge the build tool's marker."""
    products = _products(context)
    if isinstance(products, Unknown):
        yield products
        return
    own = [office for office in products if office.licensing_service == "ospp" and office.volume is not False]
    if not own:
        yield NotApplicable("no volume Office with a licensing service of its own is installed")
        return
    markers = context.readiness.rearm_markers if context.readiness is not None else None
    marker = next((item for item in markers or () if item.name.casefold() == _MARKER), None)
    if marker is None:
        yield Unknown(f"the image does not show it; run OSPPREARM.EXE before sealing ({_name(own[0])})")
    elif str(marker.data).strip() in ("1", "YES"):
        yield Passed(f"{marker.name} is {marker.data}")
    else:
        where = context.at(rf"HKLM\SOFTWARE\Login Consultants\BISF, {marker.name}")
        yield Problem("the build tool says that Office was not rearmed", where, str(marker.data))


def _name(office: OfficeFacts) -> str:
    return f"{office.product} ({office.version})"


def _place(context: Context, office: OfficeFacts) -> str:
    return context.at(office.found_at)


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
