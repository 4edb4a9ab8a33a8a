"""The style sheet of the HTML report: light and dark, phone, desktop and paper. ASCII only."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;
--accent:#0b5cad;--accent-soft:#cfe2f7;--hatch:#8c959f;--bad:#b3121d;--bad-soft:#fdecec;--warning:#7a4b00;
--warning-soft:#fff4da;--note:#0b5cad;--note-soft:#e8f1fb;--good:#176b2c;--good-soft:#e6f5ea;--unknown:#5b3e96;
--unknown-soft:#f1ebfb}
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--card:#181d24;--text:#e6e9ed;--soft:#a3adb8;--line:#39424d;
--accent:#7db8f5;--accent-soft:#21405f;--hatch:#7b8691;--bad:#ff9a94;--bad-soft:#3a191b;--warning:#f0c26b;
--warning-soft:#35280f;--note:#8fc2f7;--note-soft:#14283c;--good:#7fd696;--good-soft:#12301c;--unknown:#c9b2f5;
--unknown-soft:#2a2140}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,"Segoe UI",Roboto,Arial,sans-serif;
overflow-wrap:anywhere}
main,header,footer{max-width:68rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;margin:.5rem 0}
h2{font-size:1.25rem;margin:0 0 .5rem}
h3{font-size:1.1rem;margin:1.75rem 0 .6rem}
h4{font-size:1rem;margin:0 0 .3rem}
p{margin:.3rem 0}
a{color:var(--accent)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
header p,footer,.soft,figcaption{color:var(--soft)}
footer{font-size:.9rem}
.disk{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1.1rem;margin:1.25rem 0}
td,dd,p,h2,h4{unicode-bidi:isolate}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
thead th{font-size:.85rem;color:var(--soft)}
th[scope=row]{font-weight:600}
td.number,th.number{text-align:right;overflow-wrap:normal}
.scroll{overflow-x:auto}
.runs td,.runs th{min-width:3.5rem}
.runs th[scope=row]{min-width:11rem}
.facts{table-layout:fixed;font-size:.92rem}
.facts th{width:11rem}
.facts .inner th{font-weight:400;padding-left:1.4rem;color:var(--soft)}
.facts .inner2 th{font-weight:400;padding-left:2.2rem;color:var(--soft)}
.rules{table-layout:fixed;font-size:.92rem}
.rules th[scope=row]{font-weight:400}
.code{font-weight:700;white-space:nowrap}
details{margin:.8rem 0}
summary{cursor:pointer;font-weight:600;padding:.2rem 0}
summary h3,summary h4{display:inline;margin:0}
.badge{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:.05rem .65rem;font-size:.88rem;
font-weight:700;white-space:nowrap}
.badge.bad{color:var(--bad);background:var(--bad-soft)}
.badge.warning{color:var(--warning);background:var(--warning-soft)}
.badge.note{color:var(--note);background:var(--note-soft)}
.badge.good{color:var(--good);background:var(--good-soft)}
.badge.unknown{color:var(--unknown);background:var(--unknown-soft)}
.mark{font-weight:700}
.mark.good{color:var(--good)}.mark.bad{color:var(--bad)}.mark.warning{color:var(--warning)}
.mark.unknown{color:var(--unknown)}
.verdict{font-size:1.05rem;margin:.4rem 0}
.finding{border:1px solid var(--line);border-left-width:.4rem;border-radius:.4rem;padding:.7rem .9rem;margin:.7rem 0}
.finding.bad{border-left-color:var(--bad)}
.finding.warning{border-left-color:var(--warning)}
.finding.note{border-left-color:var(--note)}
.finding h4 .badge{margin-right:.4rem}
dl{display:grid;grid-template-columns:5.5rem 1fr;gap:.25rem .6rem;margin:.5rem 0 0;font-size:.95rem}
dt{color:var(--soft)}
dd{margin:0}
dd.evidence{font-family:ui-monospace,Consolas,"Liberation Mono",monospace;font-size:.88rem}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.25rem 2rem}
figure{margin:0 0 1rem}
figcaption{font-size:.9rem;margin-bottom:.3rem}
figcaption strong{color:var(--text)}
svg{display:block;width:100%;max-width:30rem;height:auto}
svg text{font:13px system-ui,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--text)}
svg text.small{font-size:11.5px;fill:var(--soft)}
svg text.bold{font-weight:700}
svg .box{fill:var(--card);stroke:var(--soft);stroke-width:1}
svg .this{fill:var(--accent-soft);stroke:var(--accent);stroke-width:2.5}
svg .used{fill:var(--accent-soft);stroke:var(--accent);stroke-width:1}
svg .free{fill:var(--card);stroke:var(--soft);stroke-width:1}
svg .gap{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 2}
svg .hatch{stroke:var(--hatch);stroke-width:1}
svg .arrow{stroke:var(--soft);stroke-width:1.5;fill:none}
svg .head{fill:var(--soft)}
.legend{list-style:none;margin:.3rem 0 0;padding:0;font-size:.9rem}
.legend li{padding:.1rem 0}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:36rem){main,header,footer{padding:.7rem}.disk{padding:.8rem}.facts th{width:7rem}
.facts th,.facts td,.rules th,.rules td{padding:.3rem .35rem}.facts .inner th{padding-left:.7rem}
.facts .inner2 th{padding-left:1rem}
.runs{font-size:.85rem}.runs th,.runs td{padding:.3rem;min-width:0}.runs th[scope=row]{min-width:6.5rem}
.runs thead th{font-size:.75rem;overflow-wrap:normal}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.35rem}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--text:#000;--soft:#444;--line:#bbb;--accent:#0b5cad;
--accent-soft:#cfe2f7;--hatch:#888;--bad:#b3121d;--bad-soft:#fff;--warning:#7a4b00;--warning-soft:#fff;--note:#0b5cad;
--note-soft:#fff;--good:#176b2c;--good-soft:#fff;--unknown:#5b3e96;--unknown-soft:#fff}
body{font-size:10.5pt}main,header,footer{max-width:none;padding:0}.disk{border:0;padding:0;break-before:page}
.disk:first-of-type{break-before:auto}.finding,figure,tr{break-inside:avoid}h2,h3,h4{break-after:avoid}
a{color:inherit;text-decoration:none}svg *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
