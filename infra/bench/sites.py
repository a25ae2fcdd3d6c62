"""The sites of `headwater bench extract`: eight ways in which pages are built, written once and not looked at while tuning."""

from __future__ import annotations

from html import escape

from infra.bench.pages import Site


def magazine(site: Site, body: str) -> str:
    """Return a page of HTML5's own elements, with teasers and remarks."""
    teasers = "".join(f'<article><h3><a href="#">{name}</a></h3><p>{text}</p></article>' for name, text in site.teasers[:4])
    remarks = "".join(f"<li><b>a reader</b> <time>yesterday</time><p>{text}</p></li>" for text in site.remarks)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(site.title)} - The Weekly</title>
<script>window.dataLayer = [];</script></head><body><header><a href="/">The Weekly</a><nav><ul>{site.links()}</ul></nav></header>
<main><article><header><p class="kicker">Software</p></header><div class="story-body">{body}</div>
<footer><p>Filed under <a href="/t/1">tools</a>, <a href="/t/2">code</a></p></footer></article>
<section class="comments"><h2>What readers say</h2><ol>{remarks}</ol></section></main>
<aside><h2>More from us</h2>{teasers}</aside><footer><p>© The Weekly. {site.notice}</p><ul>{site.links()}</ul></footer></body>
</html>"""


def tables(site: Site, body: str) -> str:
    """Return a page laid out with tables and font tags, as they were made around the year 2000."""
    menu = site.links(item="<tr><td bgcolor=#eeeeee><font size=2>{}</font></td></tr>")
    return f"""<html><head><title>{escape(site.title)}</title></head><body bgcolor=white><table width=100%><tr><td colspan=3>
<font size=6>Example Software Pages</font></td></tr><tr><td width=150 valign=top><table>{menu}</table></td><td valign=top>
{body}</td><td width=120 valign=top><font size=1>{site.notice}<br>
<br>{"<br>".join(f'<a href="#">{n}</a>' for n, _ in site.teasers)}
</font></td></tr><tr><td colspan=3 align=center><font size=1>Last changed on a Tuesday. Best seen with any browser.</font></td>
</tr>
</table></body></html>"""


def manual(site: Site, body: str) -> str:
    """Return a page of a documentation site: tree of pages at the left, contents at the right, pager below."""
    tree = "".join(f'<li class="md-nav__item"><a class="md-nav__link" href="#">{n}</a></li>' for n, _ in list(site.teasers) * 4)
    return f"""<!doctype html><html class="no-js"><head><title>{escape(site.title)} — Manual</title></head><body dir="ltr">
<div class="md-header"><form role="search"><input placeholder="Search"></form><ul>{site.links()}</ul></div>
<div class="md-container"><div class="md-main"><div class="md-main__inner"><div class="md-sidebar md-sidebar--primary">
<ul>{tree}</ul>
</div><div class="md-sidebar md-sidebar--secondary"><p>On this page</p><ul>{site.links()}</ul></div><div class="md-content">
<div class="md-content__inner"><a href="#" title="Edit this page">Edit</a>{body}<hr><p><small>Last update: some time ago</small>
</p>
</div></div></div></div><div class="md-footer"><a href="#">Previous: {site.teasers[0][0]}</a> <a href="#">Next:
{site.teasers[1][0]}</a>
</div></div></body></html>"""


def press(site: Site, body: str) -> str:
    """Return a page of a newspaper: a banner, teasers between, a letter to subscribe to, many remarks."""
    teasers = "".join(f'<div class="teaser"><a href="#"><h4>{name}</h4></a><p>{text}</p></div>' for name, text in site.teasers)
    remarks = "".join(
        f'<div class="comment"><div class="comment-author">guest</div><p>{text}</p></div>' for text in list(site.remarks) * 2
    )
    return f"""<!doctype html><html><head><title>{escape(site.title)} | Example Times</title></head><body class="single
sidebar-right">
<div id="cookie-consent" role="dialog"><p>{site.notice} {site.notice}</p><button>Accept all</button><button>Settings</button>
</div>
<div id="page"><div id="masthead"><div class="logo">Example Times</div><ul class="mainnav">{site.links()}</ul></div>
<div id="wrapper"><div id="primary"><div class="entry"><h1 class="entry-title">{escape(site.title)}</h1><div
class="share-buttons">
<a href="#">Tweet</a><a href="#">Share</a><a href="#">Mail</a></div><div class="entry-content">{body}</div>
<div class="newsletter-box"><h3>Never miss a thing</h3><p>{site.notice}</p></div></div><div id="related">
<h3>You may also like</h3>{teasers}</div><div id="comments">{remarks}</div></div><div id="secondary"><div
class="widget">{teasers}</div>
</div></div><div id="colophon"><p>Printed on recycled electrons. All rights reserved.</p></div></div></body></html>"""


def wiki(site: Site, body: str) -> str:
    """Return a page of a wiki: tabs, tools, categories."""
    tools = site.links(item='<li id="t-x">{}</li>')
    return f"""<!doctype html><html><head><title>{escape(site.title)} - Example Wiki</title></head><body class="mediawiki ltr">
<div id="mw-page-base"></div><div id="content" class="mw-body" role="main"><a id="top"></a><div id="siteSub">From Example
Wiki</div>
<div id="jump-to-nav">Jump to: <a href="#n">navigation</a>, <a href="#s">search</a></div><div id="mw-content-text">{body}</div>
<div id="catlinks" class="catlinks">Categories: <a href="#">Software</a> | <a href="#">Articles that want a picture</a></div>
</div>
<div id="mw-navigation"><h2>Navigation menu</h2><ul>{tools}</ul><ul>{site.links()}</ul></div><div id="footer" role="contentinfo">
<ul><li>This page was last changed on a Monday.</li><li>Text is free under its licence; other terms may apply.</li></ul></div>
</body></html>"""


def hashed(site: Site, body: str) -> str:
    """Return a page of a single-page application: nothing but divs, with classes that a compiler made."""
    card = '<div class="css-9x"><a class="css-k1" href="#">{}</a><span class="css-4">{}</span></div>'
    cards = "".join(card.format(name, text) for name, text in site.teasers)
    items = site.links(item='<div class="css-1a">{}</div>')
    return f"""<!doctype html><html><head><title>{escape(site.title)}</title><style>.css-1a{{color:red}}</style></head><body>
<div id="root"><div class="css-q0"><div class="css-b7">{items}</div><div class="css-zz"><div class="css-m3"><div
class="css-m4">{body}
</div></div><div class="css-r8">{cards}</div></div><div class="css-f2"><div>{site.notice}</div>{items}</div></div></div>
<script>window.__STATE__={{"a":"<p>not text</p>"}}</script></body></html>"""


def dated(site: Site, body: str) -> str:
    """Return a page inside one form, as some servers' frameworks send it, with hidden parts."""
    return f"""<!doctype html><html><head><title>{escape(site.title)}</title></head><body><form method="post" id="aspnetForm">
<input type="hidden" name="__VIEWSTATE" value="{"x" * 3000}"><div class="topmenu"><ul>{site.links()}</ul></div>
<div style="display:none"><p>{site.notice} {site.notice}</p></div><div id="ctl00_Main"><div class="breadcrumb"><a
href="#">Home</a> &gt;
<a href="#">Docs</a> &gt; here</div>{body}<div class="rating">Was this page of use? <a href="#">Yes</a> <a href="#">No</a></div>
</div>
<div class="bottom"><select><option>English</option><option>Deutsch</option></select><p>Terms | Privacy | Contact</p></div>
</form></body></html>"""


def journal(site: Site, body: str) -> str:
    """Return a page of somebody's own blog: the text in the middle of posts' heads and a blogroll."""
    roll = "".join(f'<li><a href="#">{name}</a></li>' for name, _ in site.teasers)
    remarks = "".join(f"<dt>someone wrote:</dt><dd>{text}</dd>" for text in site.remarks)
    return f"""<!doctype html><html><head><title>My notes: {escape(site.title)}</title></head><body><div id="wrap"><div
id="header">
<h1><a href="/">My notes</a></h1><p>on things that compute</p></div><div id="main"><div class="post hentry"><p
class="postmeta">Posted on
the third of March by the owner</p><div class="post-body">{body}</div><p class="post-footer">3 remarks | <a href="#">link</a></p>
</div>
<div class="reactions"><dl>{remarks}</dl></div></div><div id="side"><h2>Blogroll</h2><ul>{roll}</ul><h2>Archive</h2>
<ul>{site.links()}</ul>
</div><div id="foot">Made by hand. <a href="#">Feed</a></div></div></body></html>"""


SITES = (magazine, tables, manual, press, wiki, hashed, dated, journal)
"""In the order in which pages take turns."""
