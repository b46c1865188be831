"""The page while a language model (a stub) writes, and what it makes of follow-ups; see `tests.browsing`."""

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import ask, marked, raw_numbers, serious, visits
from tests.serving import Site, copied
from tests.stub_model import serving

FERRY = "Who runs the ferry to Skerrow?"
SENTENCE = "The ferry to Skerrow is run by Captain Ebba Lindqvist."
BEES = "How much did the Hollow Oak Trust give the Bramble Bee Society in 2021?"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving() as stub:
        flags = ("--llm-base-url", stub.url, "--llm-model", "stub", "--llm-seconds", "60")
        made = Site(copied(tmp_path_factory.mktemp("writing")), *flags)
        made.stub = stub
        made.start()
        yield made
        made.stop()


@pytest.fixture
def visit(chromium, site):
    site.stub.mode, site.stub.reply = "whole", "NOT IN THE EVIDENCE"
    with visits(chromium, site) as open_page:
        yield open_page


def test_words_are_marked_until_they_are_verified_and_chips_work_at_once(visit, site):
    site.stub.mode = "held"
    site.stub.reply = (
        "The ferry to Skerrow is run by Captain Ebba ¶Lindqvist [1]. The harbour was dredged [1 ¶, {was dredged}]. "
        "The moon costs ¶$9 on Sundays ¶![x](http://evil.example/x.png) <img src=http://evil.example/y.png> [1]."
    )
    page = visit()
    ask(page, FERRY)
    growing, chips = page.locator("#chat .pin-pending.words"), page.locator("#chat button.cite")
    expect(growing).to_have_text("Not verified yet: The ferry to Skerrow is run by Captain Ebba")
    expect(chips).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert serious(page) == []

    site.stub.go.release()
    expect(growing).to_have_text("Not verified yet: The harbour was dredged")  # half a number is held back
    expect(page.locator("#chat .pin-written .claim")).to_have_text(re.compile(re.escape(SENTENCE)))
    expect(chips).to_have_count(1)
    chips.click()
    assert marked(page) == SENTENCE
    expect(chips).to_have_attribute("aria-expanded", "true")
    place = page.url.split("#")[1]

    site.stub.go.release()
    expect(growing).to_contain_text("The moon costs")
    expect(chips).to_have_count(3)  # the second sentence cites two
    expect(chips.first).to_have_attribute("aria-expanded", "true")
    chip = chips.first.element_handle()
    site.stub.go.release()
    expect(growing).to_contain_text("on Sundays")
    assert chip.evaluate("chip => chip.isConnected")  # it is not drawn anew under the hand that clicks it
    page.get_by_role("textbox", name="Your question").fill("What next?")
    site.stub.go.release()
    answer = page.locator("#chat .pin-answer")
    expect(answer).to_contain_text(SENTENCE)
    expect(answer).not_to_contain_text("moon")
    expect(page.locator("#chat .pin-pending")).to_have_count(0)
    expect(answer.locator("button.cite").first).to_have_attribute("aria-expanded", "true")
    page.wait_for_url(f"**/?conv=*#{place}")
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("What next?")
    assert raw_numbers(page) == []
    page.keyboard.press("Escape")
    answer.locator("button.cite").first.click()
    assert marked(page) == SENTENCE
    fresh = visit(page.url.removeprefix(site.url))
    assert marked(fresh) == SENTENCE


def test_stop_takes_the_question_back(visit, site):
    site.stub.mode, site.stub.reply = "held", "The ferry to Skerrow is run ¶by Captain Ebba Lindqvist [1]."
    site.stub.left.clear()
    page = visit()
    ask(page, FERRY)
    page.locator("#chat .pin-pending.words").wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#chat .pin-question")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Your question")).to_have_value(FERRY)
    assert site.stub.left.wait(10)
    site.stub.mode, site.stub.reply = "whole", f"{SENTENCE} [1]"
    page.get_by_role("button", name="Ask", exact=True).last.click()
    expect(page.locator("#chat .pin-answer")).to_have_count(1)


def test_a_model_that_fails_leaves_the_documents_own_words_and_a_note(visit, site):
    site.stub.mode = "503"
    page = visit()
    ask(page, FERRY)
    answer = page.locator("#chat .pin-answer")
    expect(answer).to_contain_text(SENTENCE)
    expect(answer.locator(".notes")).to_contain_text("Shown in the documents' own words")
    answer.locator(".claim", has_text=SENTENCE).locator("button.cite").click()
    assert marked(page) == SENTENCE


def test_a_follow_up_says_what_it_was_taken_for_and_can_be_asked_as_typed(visit, site):
    page = visit()
    ask(page, BEES)
    expect(page.locator("#chat .pin-answer")).to_have_count(1)
    expect(page.locator(".pin-understood")).to_have_count(0)
    ask(page, "And in 2020?")
    expect(page.locator("#chat .pin-answer")).to_have_count(2)
    understood = page.locator(".pin-understood")
    expect(understood).to_contain_text("How much did the Hollow Oak Trust give the Bramble Bee Society in 2020?")
    assert serious(page) == []
    page.reload()
    understood.get_by_role("button", name="Ask it as typed").click()
    expect(understood).to_have_count(0)
    expect(page.locator("#chat .pin-answer")).to_have_count(2)
    expect(page.locator("#chat .pin-question").last).to_have_text("And in 2020?")


def test_an_ambiguous_follow_up_is_asked_back_with_buttons(visit, site):
    page = visit()
    ask(page, BEES)
    expect(page.locator("#chat .pin-answer")).to_have_count(1)
    ask(page, "Where is it based?")
    choices = page.locator("#chat .choices button")
    expect(choices).to_have_text(["Where is the Hollow Oak Trust based?", "Where is the Bramble Bee Society based?"])
    choices.nth(1).click()
    expect(page.locator("#chat .pin-answer")).to_have_count(3)
    expect(page.locator("#chat .pin-question").last).to_have_text("Where is the Bramble Bee Society based?")
