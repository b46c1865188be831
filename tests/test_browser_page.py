"""What surrounds an answer in a real browser: conversations, documents, languages, screens; see `tests.browsing`."""

import csv
import io
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browsing import PATIENCE, ROOT, ask, chip, main, marked, status


def test_a_question_is_asked_and_checked_without_a_mouse(visit, site):
    page = visit()
    page.locator("#pin-hello .example").first.wait_for()
    expect(page.locator("#pin-question textarea")).to_be_focused()
    page.keyboard.type("Who received NED grants in 2021?")
    page.keyboard.press("Enter")
    page.locator("#chat button.cite").first.wait_for()
    page.wait_for_url("**/?conv=*")

    def tab_to(selector, key="Tab"):
        for _ in range(80):
            page.keyboard.press(key)
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"no way by {key} to {selector}")

    for selector in ("#pin-chat .act.bad", "#pin-chat .act.copy", "#chat button.cite", "#pin-bar summary"):
        tab_to(selector, "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Export as Markdown")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Export as Markdown")).to_be_hidden()
    tab_to("#chat button.cite")
    page.keyboard.press("Enter")
    marked(page)
    for selector in (".next", ".link", ".close", ".body", ".whole", ".wrong"):
        tab_to(f"#pin-panel {selector}")
    tab_to("#pin-panel .close", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#chat button.cite").first).to_be_focused()
    for selector in (
        "#pin-nav .delete",
        "#pin-nav .rename",
        "#pin-nav .pick",
        "#pin-nav [type=search]",
        "#pin-nav .new",
    ):
        tab_to(selector, "Shift+Tab")
    tab_to("#pin-nav .icon-documents", "Shift+Tab")
    page.keyboard.press("Enter")
    for selector in (".choose", "[type=search]", ".title", ".remove"):
        tab_to(f"#pin-library {selector}")


# What a busy machine does now and then: the news that a question is taken comes before the end of the stream that told
# of the events before it.
LATE = """() => {
  const plain = window.fetch;
  let taken;
  const asked = new Promise(done => { taken = done; });
  window.fetch = async (request, options) => {
    const reply = await plain(request, options), path = new URL(request.url ?? request, location.href).pathname;
    if (path.endsWith("/queue/join") && window.asking) setTimeout(taken, 300);
    if (!path.endsWith("/queue/data") || window.asking) return reply;
    return new Response(reply.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({
      async transform(text, out) {
        if (text.includes("close_stream")) { window.ending = true; await asked; }
        out.enqueue(text);
      },
    })).pipeThrough(new TextEncoderStream()), reply);
  };
}"""


def test_a_question_that_meets_the_end_of_the_stream_is_answered(visit):
    page = visit(script=f"({LATE})()")
    page.wait_for_function("window.ending")
    page.evaluate("window.asking = true")
    ask(page, "Who founded the Merrowdale Foundation?")
    expect(page.locator("#chat .pin-answer")).to_be_visible()


# What a server does that goes when all is answered: the stream breaks off before its end is told.
BREAKS = """() => {
  const plain = window.fetch;
  window.fetch = async (request, options) => {
    const reply = await plain(request, options), path = new URL(request.url ?? request, location.href).pathname;
    if (!path.endsWith("/queue/data") || window.breaking) return reply;
    return new Response(reply.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({
      transform(text, out) {
        const [told, end] = text.split("close_stream");
        out.enqueue(told);
        if (end === undefined) return;
        window.breaking = true;
        setTimeout(() => out.error(new TypeError("network error")));
        setTimeout(() => { window.broken = true; }, 1500); // by then the page has let go of the stream
      },
    })).pipeThrough(new TextEncoderStream()), reply);
  };
}"""


def test_a_question_after_a_stream_that_broke_is_answered(visit):
    page = visit(script=f"({BREAKS})()")
    page.wait_for_function("window.broken")
    ask(page, "Who founded the Merrowdale Foundation?")
    expect(page.locator("#chat .pin-answer")).to_be_visible()


def test_an_answer_can_be_copied_saved_and_judged(visit, site):
    page = visit(main(site), permissions=["clipboard-read", "clipboard-write"])
    page.locator(f".act.copy.act-{site.answers['sentences']}").click()
    expect(page.locator(".told")).to_have_text("Copied with its sources.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("It was set up in 1998 by Elspeth Merrow, who died in 2006 [1]\n")
    assert "\nSources:\n[1] People and rules" in copied
    with page.expect_download() as download:
        page.locator(f".act.csv.act-{site.answers['table']}").click()
    lines = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert lines[2][0] == '\'=HYPERLINK("http://evil.example")'
    for kind, name in (("Markdown", "md"), ("HTML", "html")):
        page.locator("#pin-bar summary", has_text="Export").click()
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Export as {kind}").click()
        assert download.value.suggested_filename.endswith(f".{name}")
        assert "Elspeth Merrow" in Path(download.value.path()).read_text()
    page.locator(f".act.good.act-{site.answers['table']}").click()
    expect(page.locator(f".act.good.act-{site.answers['table']}")).to_have_attribute("aria-pressed", "true")
    chip(page, site, "table", 2).click()
    page.get_by_role("button", name="Wrong source").click()
    expect(status(page)).to_have_text("Thank you. That is noted.")
    given = site.get(f"/answers/{site.answers['table']}")["feedback"]
    assert [(one["value"], one["citation"]) for one in given] == [("up", None), ("wrong_source", 2)]
    page.reload()
    expect(page.locator(f".act.good.on.act-{site.answers['table']}")).to_be_visible()


def test_nothing_that_was_said_stays_in_the_browser(visit, site):
    page = visit(main(site))
    chip(page, site, "sentences", 1).click()
    marked(page)
    kept = page.evaluate("""async () => JSON.stringify([
      {...localStorage}, {...sessionStorage}, document.cookie, (await indexedDB.databases()).map((one) => one.name),
      await caches.keys(), (await navigator.serviceWorker.getRegistrations()).length])""")
    assert "Merrow" not in kept
    assert "begin" not in kept
    assert json.loads(kept)[2:] == ["", [], [], 0]


def test_the_offered_questions_are_about_the_documents_that_are_there(visit, site):
    page = visit()
    offered = page.locator("#pin-hello .example")
    offered.first.wait_for()
    titles = [one["title"] for one in site.get("/documents?limit=500")["items"] if one["title"]]
    assert offered.count() >= 3
    for question in offered.all_text_contents():
        begun = re.search("“(.+?)…?” say about", question)[1]
        assert any(title.startswith(begun) for title in titles), question
        answer = httpx.post(f"{site.url}/api/v1/ask", json={"question": question}, timeout=30).json()
        assert answer["status"] == "answered", question
        assert any((cited["title"] or "").startswith(begun) for cited in answer["citations"]), question
    first = offered.first.text_content()
    offered.first.click()
    page.locator("#chat .pin-answer").wait_for()
    expect(page.locator(".pin-question")).to_have_text(first)


def test_conversations_are_found_renamed_and_deleted(visit, site):
    page = visit()
    listed = page.locator("#pin-nav .list .pick")
    expect(listed.filter(has_text="To be deleted")).to_have_count(1)
    page.get_by_role("button", name="Rename “To be deleted”").click()
    page.get_by_role("textbox", name="Rename “To be deleted”").fill("Another name")
    page.keyboard.press("Enter")
    expect(listed.filter(has_text="Another name")).to_have_count(1)
    page.get_by_role("searchbox", name="Find a conversation").fill("ANOTHER")
    expect(listed).to_have_count(1)
    page.get_by_role("button", name="Delete “Another name”").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#pin-nav .none")).to_have_text("None found.")
    page.get_by_role("searchbox", name="Find a conversation").fill("how did it")
    listed.first.click()
    chip(page, site, "sentences", 1).wait_for()
    assert page.url.endswith(main(site))
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()
    assert "conv=" not in page.url


def test_a_long_list_is_read_to_its_end(visit, site):
    asked, total = [], 620

    def listed(route):
        query = {name: int(value) for name, value in re.findall(r"(limit|offset)=(\d+)", route.request.url)}
        asked.append(query["limit"])
        there = range(query["offset"], min(query["offset"] + query["limit"], total))
        one = {"origin": "page", "created": "2026-01-01T00:00:00Z", "changed": "2026-01-01T00:00:00Z", "turns": 1}
        items = [one | {"id": f"{n:016x}", "title": f"Talk {n}"} for n in there]
        route.fulfill(json={"total": total, "items": items})

    page = visit()
    page.route("**/api/v1/conversations?*", listed)
    page.get_by_role("searchbox", name="Find a conversation").fill("talk")
    picks, further = page.locator("#pin-nav .list .pick"), page.locator("#pin-nav .more")
    for shown in (*range(50, total, 50), total):
        expect(picks).to_have_count(shown)
        if shown < total:
            further.click()
    expect(further).to_have_count(0)
    assert max(asked) == 500
    expect(picks.last).to_have_text("Talk 619")


def test_a_long_table_comes_in_pages(visit, site):
    page = visit(f"/?conv={site.talks['long']}")
    shown, further = page.locator("#chat tbody tr:visible"), page.locator("#chat .unfold")
    expect(shown).to_have_count(50)
    expect(further).to_have_text("Show more (70)")
    further.click()
    expect(shown).to_have_count(100)
    assert page.evaluate("document.activeElement.closest('tr').textContent").startswith("Grantee 50")
    further.press("Enter")
    expect(shown).to_have_count(120)
    expect(further).to_have_count(0)


def test_documents_are_added_found_read_and_removed(visit, site):
    page = visit("/?view=documents")
    count = page.locator("#pin-library .find .count")
    expect(count).to_have_text(re.compile(r"^\d+ of \d+ documents$"))
    old = (ROOT / "corpus/documents/reports/erratum-2022.md").read_bytes()
    files = [("ferry.txt", b"The ferry of Quenby, an invented place, is the Marigold."), ("again.md", old)]
    files += [("broken.pdf", b"%PDF-1.7 nothing")]
    payload = [{"name": name, "mimeType": "text/plain", "buffer": data} for name, data in files]
    page.locator("#pin-files").set_input_files(payload)
    results = page.locator("#pin-library .results li")
    expect(results).to_have_count(3, timeout=60_000)  # the first file starts the process that reads files
    assert [results.nth(at).get_attribute("class") for at in range(3)] == ["added", "duplicate", "refused"]
    expect(results.nth(2).locator(".reason")).not_to_be_empty()
    expect(page.locator("#pin-library .going")).to_have_text("3 of 3 files done.")
    page.get_by_role("searchbox", name="Filter").fill("ferry")
    expect(count).to_have_text("1 of 1 documents")
    page.get_by_role("button", name=re.compile("^View ")).click()
    expect(page.locator("#pin-panel .body")).to_contain_text("is the Marigold")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name=re.compile("^View "))).to_be_focused()
    page.get_by_role("button", name=re.compile("^Remove ")).click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(count).to_have_text("0 of 0 documents")


def test_no_part_of_the_page_is_wider_than_the_screen(visit, site):
    page = visit(main(site))
    asking, documents = page.locator("#pin-nav .view").all()  # on a phone they lie in a drawer
    for width in (2560, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for act in (
            lambda: chip(page, site, "table", 2).click(),
            lambda: page.keyboard.press("Escape"),
            lambda: documents.evaluate("button => button.click()"),
            lambda: asking.evaluate("button => button.click()"),
        ):
            act()
            page.wait_for_timeout(300)
            wide = page.evaluate("""() => [...document.querySelectorAll("#pin *")].filter((one) => {
              const box = one.getBoundingClientRect();
              const inside = one.closest(".rows, .scroll, .unseen, #pin-side, summary + div");
              const shown = box.width && !inside && one.checkVisibility();
              return shown && (box.right > window.innerWidth + 1 || box.left < -1);
            }).map((one) => one.outerHTML.slice(0, 80))""")
            assert wide == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_moves_for_those_who_asked_for_stillness(visit, site):
    moving = """() => document.querySelector("#pin-side").getAnimations({subtree: true}).length
      + [...document.querySelectorAll("#pin *")].filter((one) => {
        const style = getComputedStyle(one);
        return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
      }).length"""
    narrow = {"viewport": {"width": 390, "height": 844}}
    assert visit(main(site), reduced_motion="no-preference", **narrow).evaluate(moving) > 0
    assert visit(main(site), **narrow).evaluate(moving) == 0


def test_a_russian_browser_reads_russian(visit, site):
    page = visit(main(site), locale="ru-RU")
    expect(page.get_by_role("button", name="Новая беседа")).to_be_visible()
    expect(page.get_by_placeholder("Спросите о ваших документах")).to_be_visible()
    expect(page.get_by_role("button", name="Спросить", exact=True)).to_be_visible()
    expect(chip(page, site, "sentences", 1)).to_have_accessible_name("Источник 1")
    chip(page, site, "sentences", 1).click()
    expect(status(page)).to_have_text(re.compile("^Источник 1 из 5: "))
    page.get_by_role("button", name="Новая беседа").click()
    expect(page.locator("#pin-hello .example").first).to_contain_text("Что сказано в документе")
    page.get_by_role("button", name="Документы", exact=True).click()
    expect(page.locator("#pin-library .find .count")).to_have_text(re.compile("^Документов: "))


# The page itself is held to this whenever a test opens it.
@pytest.mark.parametrize("path", ["/?view=api", "/docs", "/login"])
def test_no_page_asks_another_host(chromium, site, path):
    asked = []
    context = chromium.new_context()
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{site.url}{path}")
    page.wait_for_timeout(1500)
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith((site.url, "data:", "blob:"))] == []


def test_gradio_client_calls_the_endpoints_by_name(site):
    code = (
        "import json, sys; from gradio_client import Client; client = Client(sys.argv[1], verbose=False);"
        "print(json.dumps([client.predict('Who received NED grants in 2021?', api_name='/ask'),"
        "client.predict('harbour master', api_name='/search'), list(client.view_api(return_format='dict')"
        "['named_endpoints'])]))"
    )
    out = subprocess.run([sys.executable, "-c", code, site.url], capture_output=True, text=True, check=False, cwd=ROOT)
    assert out.returncode == 0, out.stderr
    answer, hits, names = json.loads(out.stdout.splitlines()[-1])
    assert answer["status"] == "answered"
    assert answer["citations"]
    assert date.fromisoformat(answer["citations"][0]["published"])
    assert "harbour master" in hits[0]["text"]
    assert sorted(names) == ["/ask", "/search"]
