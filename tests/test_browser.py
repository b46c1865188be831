"""Citations in a real browser, on a real server: chips, the source panel, the link; see `tests.browsing`."""

import re
import signal

import httpx
import pytest
from playwright.sync_api import expect

from tests.browsing import (
    CLICK,
    HOSTILE,
    HOSTILE_NAME,
    PASSING,
    QUESTION,
    ask,
    chip,
    main,
    marked,
    raw_numbers,
    serious,
    status,
    visits,
)


@pytest.fixture(scope="module")
def opened(chromium, site):
    with visits(chromium, site) as open_page:
        yield open_page(main(site))


@pytest.fixture
def reading(opened):
    """The conversation in a page that tests which only read it share: a page takes seconds to load."""
    opened.keyboard.press("Escape")
    expect(opened.locator("#pin-panel")).to_be_hidden()
    return opened


def test_every_number_of_an_answer_is_a_chip(visit, site):
    page = visit()
    ask(page, "Who received NED grants in 2021?")
    page.locator("#chat .pin-answer").wait_for()
    page.wait_for_url("**/?conv=*")
    talk = site.get(f"/conversations/{page.url.split('conv=')[1]}")
    (turn,) = talk["answers"]
    assert turn["answer"]["status"] == "answered"
    chips = page.locator("#chat button.cite")
    assert chips.count() >= len(turn["answer"]["citations"]) > 0
    for at in range(chips.count()):
        expect(chips.nth(at)).to_have_accessible_name(re.compile(r"^Source \d+$"))
        assert "“" in chips.nth(at).get_attribute("title")
    assert raw_numbers(page) == []
    page.locator("#chat .act.retry").click()
    expect(page.locator(f"#chat .act-{turn['id']}")).to_have_count(0)
    page.locator("#chat button.cite").first.click()
    marked(page)
    assert len(site.get(f"/conversations/{talk['id']}")["answers"]) == 1


def test_a_click_shows_the_words_in_their_document(reading, site):
    page = reading
    panel = page.get_by_role("complementary", name="Source")
    for number in (1, 2, 3, 4, 5):
        seen = chip(page, site, "sentences", number).evaluate(CLICK)
        assert abs(seen["moved"]) < 2
        assert seen["scrolled"] == 0
        cited = site.get(f"/answers/{site.answers['sentences']}/citations/{number}")
        title = cited["citation"]["title"] or cited["citation"]["source"]
        assert marked(page) == cited["citation"]["quote"]
        expect(panel.get_by_role("heading", level=2)).to_have_text(title)
        known = [cited["citation"]["publisher"], cited["citation"]["published"], cited["citation"]["page"]]
        known[2] = known[2] and f"page {known[2]}"
        about = [*filter(None, known), *([cited["citation"]["source"]] if cited["citation"]["title"] else [])]
        expect(panel.locator(".about")).to_have_text(" · ".join(about))
        mark, body = page.locator("mark.cited").bounding_box(), page.locator("#pin-panel .body").bounding_box()
        assert body["y"] <= mark["y"]
        assert mark["y"] + mark["height"] <= body["y"] + body["height"]
        expect(page.locator("#chat [aria-expanded=true]")).to_have_count(1)
        expect(chip(page, site, "sentences", number)).to_have_attribute("aria-expanded", "true")
        place = ", ".join([title, *cited["section"][-1:]])
        expect(status(page)).to_have_text(f"Source {number} of 5: {place}")
        page.keyboard.press("Escape")


def test_the_panel_shows_a_document_in_its_own_layout(reading, site):
    page = reading
    for number in (1, 2, 3):
        chip(page, site, "sentences", number).click()
        marked(page)
        cited = site.get(f"/answers/{site.answers['sentences']}/citations/{number}")
        words = page.locator("#pin-panel .words")
        for kind, selector in (("heading", "h3, h4, h5, h6"), ("row", ".row"), ("item", ".item")):
            drawn = [block["text"] for block in cited["blocks"]["blocks"] if block["kind"] == kind]
            assert words.locator(selector).evaluate_all("all => all.map((one) => one.textContent)") == drawn
        pages = dict.fromkeys(f"page {block['page']}" for block in cited["blocks"]["blocks"] if block["page"])
        assert words.locator("p.page").all_text_contents() == list(pages)
        values = [cell["text"] for block in cited["blocks"]["blocks"] for cell in block["cells"]]
        assert words.locator(".row .value").all_text_contents() == values
    assert values


def test_a_pdf_also_shows_its_page(reading, site):
    page = reading
    chip(page, site, "sentences", 2).click()
    marked(page)
    page.get_by_role("button", name="Page", exact=True).click()
    image = page.get_by_role("img", name="Page 1 as it is printed, with the cited words highlighted")
    expect(image).to_be_visible()
    page.wait_for_function("document.querySelector('#pin-panel img').naturalWidth > 500")
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page.locator("mark.cited")).to_be_in_viewport()


def test_the_keyboard_goes_all_the_way(reading, site):
    page = reading
    first = chip(page, site, "sentences", 1)
    first.focus()
    for number in (2, 3, 4, 5):
        page.keyboard.press("Tab")
        expect(chip(page, site, "sentences", number)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert "Eleven grants" in marked(page)
    expect(page.locator("#pin-panel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#pin-panel")).to_be_hidden()
    expect(chip(page, site, "sentences", 4)).to_be_focused()
    expect(page.locator("#chat [aria-expanded=true]")).to_have_count(0)
    page.keyboard.press("Space")
    assert "Eleven grants" in marked(page)


def test_previous_and_next_stop_at_the_ends(reading, site):
    page = reading
    chip(page, site, "sentences", 1).click()
    back, on = page.get_by_role("button", name="Previous source"), page.get_by_role("button", name="Next source")
    expect(back).to_be_disabled()
    seen = [marked(page)]
    on.focus()
    for number in (2, 3, 4, 5):
        page.keyboard.press("Enter")
        expect(page.locator("#pin-panel .count")).to_have_text(f"Source {number} of 5")
        seen.append(marked(page))
    assert len(set(seen)) == 5
    expect(on).to_be_disabled()
    expect(back).to_be_focused()
    back.click()
    expect(page.locator("#pin-panel .count")).to_have_text("Source 4 of 5")
    expect(chip(page, site, "sentences", 4)).to_have_attribute("aria-expanded", "true")


def test_the_link_opens_the_same_words_in_a_fresh_profile(visit, site):
    page = visit(main(site))
    chip(page, site, "table", 1).click()
    words = marked(page)
    link = page.url.removeprefix(site.url)
    assert link == main(site, f"#cite-{site.answers['table']}-1")
    assert site.get(f"/answers/{site.answers['table']}/citations/1")["link"] == link
    fresh = visit(link)
    assert marked(fresh) == words
    expect(chip(fresh, site, "table", 1)).to_have_attribute("aria-expanded", "true")
    chip(fresh, site, "sentences", 1).click()
    assert "Elspeth Merrow" in marked(fresh)
    fresh.reload()
    expect(chip(fresh, site, "sentences", 1)).to_have_attribute("aria-expanded", "true")
    assert "Elspeth Merrow" in marked(fresh)


def test_a_refusal_shows_what_is_near_and_no_chips(reading):
    page = reading
    refusal = page.locator("#chat .pin-answer.refused")
    expect(refusal.locator(".cite")).to_have_count(0)
    expect(refusal).to_contain_text("Why: the documents tell it only for another time")
    buttons = refusal.get_by_role("button", name="Read it in the document")
    buttons.nth(0).click()
    assert "Nine regular grants" in marked(page)
    buttons.nth(1).click()
    expect(page.locator("#pin-panel mark.near")).to_have_text(re.compile("^Where a grant is above £40,000"))
    expect(page.locator("mark.cited")).to_have_count(0)


def test_hostile_words_are_shown_as_words(visit, site):
    page = visit(f"/?conv={site.talks['hostile']}")
    expect(page.locator(".pin-question")).to_have_text(QUESTION)
    expect(page.locator("#pin-nav .list")).to_contain_text("<script>")
    body = " ".join(HOSTILE.split("\n\n")[1].split())
    expect(page.locator("#chat .pin-answer .claim")).to_contain_text(body)
    assert raw_numbers(page) == []
    chip(page, site, "hostile", 1).click()
    assert marked(page) == HOSTILE.split("\n\n")[1].strip()
    expect(page.locator("#pin-panel .about-source")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#pin-panel img, #chat img, #pin-panel a, #chat a, #chat form, #chat script").count() == 0
    page.get_by_role("button", name="Documents", exact=True).click()
    expect(page.locator("#pin-library tbody")).to_contain_text(HOSTILE_NAME)
    page.locator("#pin-library tr", has_text=HOSTILE_NAME).get_by_role("button", name=re.compile("^View ")).click()
    expect(page.locator("#pin-panel .body")).to_contain_text("![x](http://evil.example/x.png)")
    assert page.locator("#pin-panel img").count() == 0


def test_a_document_that_is_gone_leaves_no_words_behind(visit, site):
    page = visit(f"/?conv={site.talks['gone']}")
    chip(page, site, "passing", 1).click()
    assert marked(page) == PASSING
    assert httpx.delete(f"{site.url}/api/v1/documents/{site.passing}").status_code == 204
    page.keyboard.press("Escape")
    chip(page, site, "passing", 1).click()
    panel = page.locator("#pin-panel")
    expect(panel).to_contain_text("This document has been removed, or you may not read it.")
    assert "Una Brill" not in panel.evaluate("panel => panel.textContent")
    page.reload()
    page.locator("#chat .pin-answer").wait_for()
    assert "Una Brill" not in page.locator("#chat").text_content()


def test_a_phone_shows_the_source_over_the_whole_screen(visit, site):
    page = visit(main(site), viewport={"width": 390, "height": 844}, has_touch=True)
    chip(page, site, "sentences", 3).tap()
    marked(page)
    assert page.locator("#pin-panel").bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    close = page.get_by_role("button", name="Close")
    expect(close).to_be_in_viewport()
    expect(page.locator("mark.cited")).to_be_in_viewport()
    assert page.locator("#pin-main").evaluate("main => main.inert")
    close.tap()
    expect(page.locator("#pin-panel")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Conversations").tap()
    expect(page.get_by_role("button", name="New conversation")).to_be_in_viewport()
    assert page.locator("#pin-main").evaluate("main => main.inert")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="New conversation")).to_be_hidden()
    page.get_by_role("button", name="Conversations").tap()
    page.touchscreen.tap(380, 400)  # beside them
    expect(page.get_by_role("button", name="New conversation")).to_be_hidden()
    page.locator("#pin-bar summary", has_text="Export").tap()
    expect(page.get_by_role("button", name="Export as HTML")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, site, scheme):
    page = visit(color_scheme=scheme)
    page.locator("#pin-hello .example").first.wait_for()
    assert serious(page) == []
    page.locator("#pin-nav .list .pick", has_text="How did it begin?").click()
    chip(page, site, "sentences", 3).click()
    marked(page)
    assert serious(page) == []
    page.get_by_role("button", name="Documents", exact=True).click()
    page.locator("#pin-library tbody .title").first.wait_for()
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name=re.compile("^View ")).first.click()
    page.locator("#pin-panel .words").wait_for()
    assert serious(page) == []


def test_chips_and_feedback_outlive_the_server(visit, site):
    page = visit(main(site))
    page.locator("#pin-bar button").first.wait_for(state="attached")
    site.stop()
    site.start()
    chip(page, site, "table", 2).click()  # of a page that was open all the while
    assert "Silk Road Page Turners" in marked(page)
    ask(page, "Who is the director?")
    expect(page.locator("#chat .pin-answer")).to_have_count(4)
    fresh = visit(main(site))
    expect(fresh.locator("#chat .pin-answer")).to_have_count(4)
    chip(fresh, site, "sentences", 2).click()
    assert "Nine regular grants" in marked(fresh)


def test_a_page_that_waited_for_a_server_that_died_loads_again_by_itself(visit, site):
    page = visit()
    page.get_by_role("textbox", name="Your question").wait_for()  # the last of the page's code that the server sends
    page.evaluate("window.before = true")
    site.process.send_signal(signal.SIGSTOP)
    with page.expect_request("**/gradio_api/queue/join*"):
        ask(page, "Who is the director?")
    site.stop()
    expect(page.get_by_text("Connection to the server was lost")).to_be_visible()
    site.start()
    page.wait_for_function("!window.before")
    expect(page.locator("#chat .pin-answer")).to_have_count(1)  # asked again by itself
    expect(page.locator(".pin-question")).to_have_text("Who is the director?")
    assert page.evaluate("({...sessionStorage})") == {}


def test_what_is_being_typed_when_the_page_loads_again_is_still_there(visit, site):
    page = visit()
    box = page.get_by_role("textbox", name="Your question")
    box.fill("Who is the dir")
    page.reload()
    expect(box).to_have_value("Who is the dir")
    box.press_sequentially("ector?")
    page.keyboard.press("Enter")
    page.locator("#chat .pin-answer").wait_for()
    page.reload()
    page.locator("#chat .pin-answer").wait_for()
    expect(page.locator(".pin-question")).to_have_text("Who is the director?")
    expect(box).to_have_value("")
