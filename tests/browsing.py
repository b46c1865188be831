"""A real browser and a real server for tests: the demo corpus, a hostile document, and answers of a known form.

Needs Chromium: ``apt-get install chromium``, or any other whose path is in PINCITE_CHROMIUM.
"""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from index.library import Index
from rag.models import Answer, Claim, Nearest, Note, Row
from rag.verify import cite
from tests.serving import Site
from ui.accounts import LOCAL
from ui.state import State
from ui.talks import Talks, new_id

PATIENCE = 180_000  # ms; on a busy machine a page takes long, and a test that waits too short a time tells nothing
expect.set_options(timeout=PATIENCE)

ROOT = Path(__file__).parents[1]
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
FLAGS += ["--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
HOSTILE_NAME = "<img src=x onerror=alert(1)> ![n](http:&#47;&#47;evil.example&#47;n.png).txt"
HOSTILE = """<script>alert("title")</script> ![t](http://evil.example/t.png)

The harbour master of Quenby is <img src="http://evil.example/y.png" onerror="alert(2)"> Odo Marsh ${alert(3)} \
{{alert(4)}} [7] ![x](http://evil.example/x.png), and Quenby is invented.
"""
QUESTION = 'Who is <b>the harbour master</b> of Quenby? ![q](http://evil.example/q.png) <script>alert("q")</script>'
PASSING = "The lantern keeper of Ostwick, an invented place, is Una Brill."


@contextmanager
def browser():
    """Chromium, wherever it is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("PINCITE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.fail("no Chromium: apt-get install chromium, or put the path of one into PINCITE_CHROMIUM")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


@contextmanager
def served(folder, encoder, demo):
    """The site, with the demo and everything else in it."""
    (folder / "files").mkdir()
    (folder / "files" / HOSTILE_NAME).write_text(HOSTILE)
    (folder / "files" / "passing.txt").write_text(PASSING)
    site = Site(shutil.copytree(demo, folder / "x.index"))
    with Index(site.folder, encoder) as index:
        index.add(folder / "files")
        seed(site, {Path(one.source).name: index.show(one.id) for one in index.documents()})
    site.start()
    yield site
    site.stop()


def quote(document, words, number):
    """The citation of some words of a document, which hold a space wherever the document breaks a line."""
    found = re.search(r"\s+".join(map(re.escape, words.split())), document.text)
    assert found, words
    return cite(document, *found.span(), number)


def seed(site, held):
    """Answers of a known form, so that what is looked at does not depend on how well questions are answered."""
    report, rules, grants = held["annual-report-2020.pdf"], held["people-and-rules.md"], held["grants-2020.csv"]
    row = "Grant number: MF-2020-05; Grantee: Silk Road Page Turners; Place: Shymkent; Programme: Reading Rooms; "
    row += "Currency: KZT; Amount: 7,350,000; Decided: 2020-04-22; Status: paid; Remark: first grant to this partner."
    cited = (
        quote(rules, "It was set up in 1998 by Elspeth Merrow, who died in 2006", 1),
        quote(
            report, "Nine regular grants were awarded in 2020, and two emergency grants were paid on top of them.", 2
        ),
        quote(grants, row, 3),
        quote(held["annual-report-2022.docx"], "Eleven grants were made, three more than in 2021. Tomasz Weil", 4),
    )
    told = Note(kind="version", text="The rules are newer:", citations=(quote(rules, "It takes no money", 5),))
    second = (quote(rules, "Where a grant is above £40,000, two thirds of the members must agree", 1), cited[2])
    second = (second[0], second[1].model_copy(update={"number": 2}))
    names = ("Two thirds", '=HYPERLINK("http://evil.example")')
    rows = (
        Row(name=names[0], amount="£40,000", citations=(1,)),
        Row(name=names[1], purpose="first grant", citations=(2,)),
    )
    other = Note(kind="other_period", text="Only for 2020:", citations=(cited[1].model_copy(update={"number": 1}),))
    near = Nearest(document=rules.id, source=rules.source, title=rules.title, start=second[0].start,
                   end=second[0].end, quote=second[0].quote, score=0.1)  # fmt: skip
    bad = held[HOSTILE_NAME]
    bad_cite = quote(bad, HOSTILE.split("\n\n")[1], 1)
    passing = quote(held["passing.txt"], PASSING, 1)
    base = {"reason": None, "text": "", "status": "answered"}
    answers = {
        "sentences": Answer(question="How did it begin?", citations=cited, notes=(told,), **base, claims=tuple(
            Claim(text=" ".join(c.quote.split()), citations=(c.number,)) for c in cited)),
        "table": Answer(question="List them.", citations=second, rows=rows, **base, claims=tuple(
            Claim(text=" ".join(c.quote.split()), citations=(c.number,)) for c in second)),
        "refusal": Answer(question="And in 2031?", status="refused", reason="other_period", nearest=(near,),
                          text="The documents do not tell this for 2031.", notes=(other,)),
        "hostile": Answer(question=QUESTION, citations=(bad_cite,), **base,
                          claims=(Claim(text=bad_cite.quote, citations=(1,)),)),
        "long": Answer(question="List all of them.", citations=second[:1], **base, rows=tuple(
            Row(name=f"Grantee {n}", citations=(1,)) for n in range(120))),
        "passing": Answer(question="Who keeps the lantern?", citations=(passing,), **base,
                          claims=(Claim(text=PASSING, citations=(1,)),)),
    }  # fmt: skip
    state = State(site.folder)
    talks = Talks(state)
    site.talks, site.answers, site.passing = {}, {}, passing.document
    groups = {
        "main": ("sentences", "table", "refusal"),
        "hostile": ("hostile",),
        "gone": ("passing",),
        "spare": (),
        "long": ("long",),
    }
    for talk, kinds in groups.items():
        site.talks[talk] = new_id()
        title = answers[kinds[0]].question if kinds else "To be deleted"
        talks.begin(LOCAL, title, "page", site.talks[talk])
        for kind in kinds:
            site.answers[kind] = new_id()
            talks.say(LOCAL, site.talks[talk], site.answers[kind], answers[kind].question, answers[kind])
    state.close()


@contextmanager
def visits(chromium, site):
    """Opens the page in a profile of its own; a script error, a dialog or a request to elsewhere fails the test."""
    contexts, wrong, failed = [], [], []

    def requested(request):
        if not request.url.startswith((f"{site.url}/", "data:", "blob:")):
            wrong.append(request.url)

    def open_page(path="/", wait=True, script="", **options):
        options = {"viewport": {"width": 1360, "height": 850}, "reduced_motion": "reduce", **options}
        context = chromium.new_context(base_url=site.url, **options)
        contexts.append(context)
        context.add_init_script(script)
        context.on("request", requested)
        context.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.goto(path)
        if not wait:
            return page
        page.locator("#pin-bar button").first.wait_for(state="attached")
        if "conv=" in path:
            page.locator("#chat .pin-answer").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == [], (wrong, failed)


def ask(page, question):
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")


def chip(page, site, kind, number):
    return page.locator(f"#chat button.cite-{site.answers[kind]}-{number}")


def marked(page):
    expect(page.locator("mark.cited")).to_have_count(1)
    return page.locator("mark.cited").evaluate("mark => mark.textContent")


def status(page):
    return page.locator("#pin-status[role=status]")


def main(site, hash_=""):
    return f"/?conv={site.talks['main']}{hash_}"


def raw_numbers(page):
    """Every [n] in the chat that is not code."""
    return page.locator("#chat").evaluate("""chat => {
      const walker = document.createTreeWalker(chat, NodeFilter.SHOW_TEXT), found = [];
      while (walker.nextNode()) {
        if (/\\[\\d+\\]/.test(walker.currentNode.data) && !walker.currentNode.parentElement.closest("code, style"))
          found.push(walker.currentNode.data);
      }
      return found;
    }""")


CLICK = """chip => new Promise(done => {
  const at = chip.getBoundingClientRect().top;
  const look = () => {
    const mark = document.querySelector("#pin-panel mark.cited");
    if (mark && mark.checkVisibility()) {
      done({moved: chip.getBoundingClientRect().top - at, scrolled: window.scrollY});
    } else requestAnimationFrame(look);
  };
  chip.click();
  look();
})"""


def serious(page):
    """What axe-core calls serious or critical on the page as it is now."""
    found = Axe().run(page).response["violations"]
    return [(f["id"], n["html"]) for f in found if f["impact"] in ("serious", "critical") for n in f["nodes"]]
