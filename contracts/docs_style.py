"""The looks of the docs pages: one style sheet, light and dark, narrow and wide, without anything from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --ink: #1a2230; --dim: #566072; --line: #d8dee8; --page: #ffffff; --soft: #f4f6fa;
  --link: #0b57c2; --good: #1b7a4b; --warn: #9a5b00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf2; --dim: #a3adbd; --line: #343d4d; --page: #12161d; --soft: #1b212c;
  --link: #8ab4f8; --good: #6fd19b; --warn: #f2bc6b; --bad: #f2948c; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .7rem; padding-top: .6rem; border-top: 1px solid var(--line); }
p { margin: .5rem 0; max-width: 48rem; }
a { color: var(--link); }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .875em; }
code { overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem; overflow-x: auto; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: 1.1rem 0 0; font-size: .95rem; }
.tags { display: flex; flex-wrap: wrap; gap: .4rem; margin: .5rem 0; padding: 0; list-style: none; }
.tag { border: 1px solid var(--line); border-radius: 999px; padding: .05rem .6rem; font-size: .85rem; color: var(--dim); }
.dim { color: var(--dim); }
.public { color: var(--good); } .restricted { color: var(--bad); } .confidential { color: var(--warn); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; margin: .7rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { text-align: left; vertical-align: top; padding: .5rem .8rem; border-bottom: 1px solid var(--line); }
tbody tr:last-child td { border-bottom: 0; }
th { background: var(--soft); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: break-word; min-width: 5rem; }
td:first-child code { overflow-wrap: normal; }
td ul { margin: 0; padding-left: 1.1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: .6rem 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; margin-top: 2.4rem; }
footer { margin-top: 3rem; color: var(--dim); font-size: .875rem; overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  main { padding: 1rem .9rem 3rem; }
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tbody tr { padding: .6rem .8rem; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; }
  td { border: 0; padding: .12rem 0; }
  td:empty { display: none; }
  td:not(:first-child)::before { content: attr(data-head) ": "; color: var(--dim); }
  td:first-child { font-weight: 600; }
  td, td:first-child code { overflow-wrap: anywhere; }
  td > div { display: inline; }
  td > div + div::before { content: ", "; }
  dl { grid-template-columns: 1fr; gap: .05rem; } dd { margin-bottom: .5rem; }
}
@media print { nav { display: none; } .wide { overflow: visible; } }
"""
