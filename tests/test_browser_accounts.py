"""The page where there are accounts: signing in, sharing, and what is not for everyone; see `tests.browsing`."""

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import HOSTILE_NAME, marked, serious
from tests.serving import PASSWORD, Site, accounts, client, copied, documents

BEES = "Who gave $12,500 to the Bramble Bee Society in 2021?"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Ada runs it; Ed edits for the board; Rita reads, and is in no group."""
    site = Site(copied(tmp_path_factory.mktemp("accounts")))
    with accounts(site.folder) as made:
        made.add("ada", "admin", PASSWORD)
        made.add("ed", "editor", PASSWORD, ["board"])
        made.add("rita", "reader", PASSWORD)
        made.add("pia", "reader", None, ["press"])
        keys = {name: made.add_key(name) for name in ("ada", "ed", "rita")}
    site.start()
    site.as_ = {name: client(site.url, key) for name, key in keys.items()}
    site.held = documents(site.as_["ada"])
    yield site
    for one in site.as_.values():
        one.close()
    site.stop()


def enter(visit, name, path="/", **options):
    """The page after signing in by name and password, on the way to a path."""
    page = visit(path, wait=False, **options)
    page.wait_for_url("**/login?next=*")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#pin-bar button").first.wait_for(state="attached")
    return page


def library(visit, name):
    page = enter(visit, name, "/?view=documents")
    page.locator("#pin-library tbody .title").first.wait_for()
    return page, page.locator("#pin-library")


def line(box, source):
    return box.locator("tbody tr", has_text=source)


def test_a_reader_signs_in_and_sees_its_own(visit, site):
    talk = site.as_["ada"].post("/api/v1/ask", json={"question": BEES, "origin": "page"}).headers["x-conversation-id"]
    page = enter(visit, "rita", f"/?conv={talk}")
    page.locator("#pin-hello h1").wait_for()
    expect(page.get_by_text("there is no such conversation")).to_be_visible()
    expect(page.locator("#pin-nav .list .pick")).to_have_count(0)
    assert "conv=" not in page.url
    page.get_by_role("button", name="Documents", exact=True).click()
    box = page.locator("#pin-library")
    box.locator("tbody .title").first.wait_for()
    expect(box.get_by_role("button", name="Choose files")).to_be_hidden()
    expect(box.get_by_role("button", name=re.compile("^(Remove|Share)"))).to_have_count(0)
    page.locator(".view.icon-chat").click()
    page.get_by_role("textbox", name="Your question").fill("What is not for the next reader?")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login*")
    page.wait_for_function("document.forms.length && !sessionStorage.length")


def test_an_editor_says_whom_a_document_is_for(visit, site):
    page, box = library(visit, "ed")
    share, rita = box.get_by_role("button", name=re.compile("^Share “The Night Train” with")), site.as_["rita"]
    share.focus()
    page.keyboard.press("Enter")
    everyone, board = box.get_by_role("checkbox", name="everyone"), box.get_by_role("checkbox", name="board")
    expect(everyone).to_be_focused()
    expect(everyone).to_be_checked()
    expect(box.get_by_role("checkbox", name="press")).to_have_count(0)  # Ed is not in it
    board.check()
    expect(everyone).not_to_be_checked()
    board.uncheck()
    expect(everyone).to_be_checked()
    page.keyboard.press("Escape")
    expect(share).to_be_focused()
    assert "trains.txt" in documents(rita)
    share.click()
    board.check()
    box.get_by_role("button", name="Save").click()
    expect(line(box, "trains.txt")).to_contain_text("shared with board")
    expect(page.locator("#pin-toast")).to_have_text("shared with board")
    expect(share).to_be_focused()
    assert "trains.txt" not in documents(rita)
    assert rita.get(f"/api/v1/documents/{site.held['trains.txt']}").status_code == 404

    page, box = library(visit, "ada")
    box.get_by_role("button", name=re.compile("^Share “The Night Train” with")).click()
    expect(box.get_by_role("checkbox")).to_have_count(3)  # everyone, and each group that anyone is in
    box.get_by_role("checkbox", name="press").check()
    expect(box.get_by_role("checkbox", name="board")).to_be_checked()
    box.get_by_role("button", name="Save").click()
    expect(line(box, "trains.txt")).to_contain_text("shared with board, press")

    page, box = library(visit, "ed")
    share = box.get_by_role("button", name=re.compile("^Share “The Night Train” with"))
    share.click()
    box.get_by_role("checkbox", name="board").uncheck()  # and leaves the other group, which is not his, as it was
    box.get_by_role("button", name="Save").click()
    expect(line(box, "bees.txt")).to_have_count(1)
    expect(line(box, "trains.txt")).to_have_count(0)
    shown = site.as_["ada"].get(f"/api/v1/documents/{site.held['trains.txt']}").json()
    assert shown["groups"] == ["press"]

    page, box = library(visit, "ada")
    box.get_by_role("button", name=re.compile("^Share “The Night Train” with")).click()
    box.get_by_role("checkbox", name="everyone").check()
    expect(box.get_by_role("checkbox", name="press")).not_to_be_checked()
    box.get_by_role("button", name="Save").click()
    expect(line(box, "trains.txt")).not_to_contain_text("shared with")
    assert "trains.txt" in documents(rita)


def test_what_is_added_for_a_group_is_for_that_group(visit, site):
    page, box = library(visit, "ed")
    box.get_by_label("Share with").select_option("board")
    file = {"name": HOSTILE_NAME, "mimeType": "text/plain", "buffer": b"The regatta of Tayport is rowed in June."}
    page.locator("#pin-files").set_input_files([file])
    expect(box.locator(".results li")).to_contain_text(HOSTILE_NAME, timeout=60_000)
    expect(line(box, "onerror")).to_contain_text("shared with board")
    assert HOSTILE_NAME not in documents(site.as_["rita"])
    for name in ("Share", "Remove"):
        line(box, "onerror").get_by_role("button", name=re.compile(f"^{name} “")).click()
        expect(box.locator(".sure")).to_contain_text("onerror=alert(1)>")
        assert box.locator("img").count() == 0
        box.get_by_role("button", name="Cancel").click()
    line(box, "onerror").get_by_role("button", name=re.compile("^Remove “")).click()
    box.get_by_role("button", name="Remove", exact=True).click()
    expect(line(box, "onerror")).to_have_count(0)
    expect(page.locator("#pin-toast")).to_have_text("Removed.")


def test_a_document_that_is_not_shared_any_more_leaves_no_words(visit, site):
    bees = site.held["bees.txt"]
    asked = site.as_["rita"].post("/api/v1/ask", json={"question": BEES, "origin": "page"})
    assert "Hollow Oak" in asked.text
    page = enter(visit, "rita", f"/?conv={asked.headers['x-conversation-id']}")
    chip = page.locator("#chat button.cite").first
    chip.click()
    assert "Hollow Oak" in marked(page)
    page.keyboard.press("Escape")
    site.as_["ada"].put(f"/api/v1/documents/{bees}/groups", json={"groups": ["board"]})
    try:
        chip.click()
        panel = page.locator("#pin-panel")
        expect(panel).to_contain_text("This document has been removed, or you may not read it.")
        assert "Hollow Oak" not in panel.evaluate("panel => panel.textContent")
        page.reload()
        page.locator("#chat .pin-answer").wait_for()
        assert "Hollow Oak" not in page.locator("#chat").text_content()
    finally:
        site.as_["ada"].put(f"/api/v1/documents/{bees}/groups", json={"groups": []})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, site, scheme):
    page = visit("/login", wait=False, color_scheme=scheme)
    page.get_by_label("Name").wait_for()
    assert serious(page) == []
    page = enter(visit, "ada", "/?view=documents", color_scheme=scheme)
    box = page.locator("#pin-library")
    box.get_by_role("button", name=re.compile("^Share “The Night Train” with")).click()
    assert serious(page) == []
    box.get_by_role("button", name="Cancel").click()
    box.get_by_role("button", name=re.compile("^Remove “The Night Train”")).click()
    assert serious(page) == []
    page.goto("/docs")
    page.get_by_role("heading", name="POST /api/v1/ask").wait_for()
    assert serious(page) == []
