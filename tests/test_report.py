"""The report opened in a real browser, without a network, by mouse and keyboard, and read as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from eval.cases import Case
from eval.plots import plots
from eval.report import CARDS, interval, markdown, row, sentences, share, write
from eval.run import Loaded, run
from eval.summary import Scores, Summary, score_run, summarise
from eval.support import PlainVerifier
from rag.models import Answer, Note, Rejected
from tests.browsing import PATIENCE
from tests.handmade import CASES, DELTA_2021, HandMade, answer, best, every_sentence, gold_answer, refusal
from tests.test_run import settings


def mixed(case: Case) -> Answer | None:
    """One of each: right, too much, refused, shifted, invented, and nothing."""
    if case.id == "list":
        return answer(case, every_sentence(), confidence=0.7)
    if case.id == "date":
        rejected = (
            Rejected(text="The grant was signed on 3 March 2020. <b>Sealed</b> & all", reason="a name is missing"),
        )
        return refusal(case, "no_evidence").model_copy(update={"rejected": rejected})
    if case.id == "place":
        noted = (Note(kind="version", text="Another version says <i>the same</i>."),)
        return answer(case, best(case), shift=1, confidence=0.6).model_copy(update={"notes": noted})
    if case.id == "year":
        return answer(case, [DELTA_2021], confidence=0.8)
    return None if case.id == "detail" else gold_answer(case)


class Made(NamedTuple):
    loaded: Loaded
    scores: Scores
    summary: Summary
    page: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    out = tmp_path_factory.mktemp("runs") / "mixed <run>"
    loaded = run(out, settings(), CASES, HandMade("hand", mixed))
    scores = score_run(loaded, PlainVerifier())
    summary = summarise(loaded, scores, PlainVerifier())
    return Made(loaded, scores, summary, write(loaded, scores, summary)[0])


class Opened(NamedTuple):
    page: Page
    requests: list[str]
    problems: list[str]


@pytest.fixture
def opened(chromium: Browser, made: Made) -> Iterator[Opened]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(made.page.as_uri())
    page.locator(".plots svg.main-svg").last.wait_for(state="attached")
    yield Opened(page, requests, problems)
    context.close()


def test_the_page_asks_nobody_for_anything(opened: Opened, made: Made) -> None:
    assert opened.requests == [made.page.as_uri()]
    assert opened.problems == []
    assert opened.page.title() == "mixed <run>: hand"
    for plot in plots(made.summary):
        assert opened.page.locator(f"#plot-{plot.id} svg.main-svg").count() > 0, plot.id
    assert len(plots(made.summary)) == 4


def test_there_is_no_serious_finding_of_axe(opened: Opened) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for button in opened.page.locator("button.open").all():
        button.click()
    for details in opened.page.locator("details > summary").all():
        details.click()
    found = Axe().run(opened.page)
    bad = [v for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]
    assert bad == [], [(v["id"], v["nodes"][0]["html"]) for v in bad]
    assert len(found.response["passes"]) > 15


def test_a_case_opens_by_keyboard_and_shows_both_sides(opened: Opened) -> None:
    page = opened.page
    button = page.get_by_role("button", name="Who received grants from the Larkspur Fund in 2021?")
    button.focus()
    assert button.get_attribute("aria-expanded") == "false"
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator("tr.detail:visible")
    assert detail.count() == 1
    assert detail.locator("blockquote").count() == 4 + 10  # four gold quotes, ten citations
    marked = detail.locator(".sides > div").nth(1).locator("mark").all_inner_texts()
    assert len(marked) == 4
    assert DELTA_2021.quote in marked
    chip = detail.locator("a.chip").first
    chip.focus()
    page.keyboard.press("Enter")
    page.locator("#c2-1:focus").wait_for()
    button.focus()
    page.keyboard.press("Space")
    assert page.locator("tr.detail:visible").count() == 0


def test_cases_are_filtered_and_sorted(opened: Opened) -> None:
    page = opened.page
    visible = page.locator("tr.case:visible")
    assert (visible.count(), page.locator("#shown").inner_text()) == (6, "6 of 6 cases")
    page.get_by_label("Outcome").select_option("refused")
    assert (visible.count(), page.locator("#shown").inner_text()) == (1, "1 of 6 cases")
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Words in it").fill("sealed")  # stands in the details only
    assert visible.count() == 1
    page.get_by_label("Words in it").fill("")
    head = page.get_by_role("columnheader", name="Citation F1")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = [float(text) for text in page.locator("tr.case > td:nth-child(5)").all_inner_texts() if text != "–"]
    assert values == sorted(values)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("tr.case > td:nth-child(5)").first.inner_text() == "1.000"
    page.get_by_role("combobox", name="Kind").select_option("date")
    assert visible.locator("td:nth-child(4)").all_inner_texts() == ["rejected"]


def test_text_from_outside_is_shown_as_text(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("button", name="When was the grant to Delta Radio signed?").click()
    assert "<b>Sealed</b> & all" in page.locator("tr.detail:visible").inner_text()
    page.get_by_role("button", name="Where is its office?").click()
    detail = page.locator("tr.detail:visible").nth(1)
    assert "Another version says <i>the same</i>." in detail.inner_text()
    assert "Before: What is the Larkspur Fund?" in detail.inner_text()
    assert "offsets not exact" in detail.inner_text()


def test_it_can_be_read_on_a_phone(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 390, "height": 800})
    for _ in range(100):  # the plots follow a little later
        if opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
            return
        opened.page.wait_for_timeout(100)
    pytest.fail("the page is wider than the screen")


def test_headings_go_down_one_level_at_a_time(opened: Opened) -> None:
    levels = opened.page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


# ------------------------------------------------------------------------------------------- without a browser


def test_the_same_figures_everywhere(made: Made) -> None:
    page, text = made.page.read_text(), made.page.with_suffix(".md").read_text()
    whole = json.loads(made.page.with_suffix(".json").read_text())
    assert text == markdown(made.summary)
    for figure in made.summary.figures:
        shown = f"{figure.value:.3f}"
        assert f"| {figure.title} | {shown} | {interval(figure)} | {figure.cases} |" in text
        assert f'<td class="n">{shown}</td><td class="n">{interval(figure)}</td>' in page
    assert Summary.model_validate(whole["summary"]) == made.summary
    assert {(each["id"], each["variant"]) for each in whole["cases"]} == set(made.scores)
    assert next(each for each in whole["cases"] if each["id"] == "amount")["scores"]["citation_f1"] == 1.0
    assert all(made.summary.figure(name) for name in CARDS)
    assert "its own accuracy has not been measured" in text
    assert "Judged by the verifier “plain”" in page


def test_the_summary_in_words(made: Made) -> None:
    said = " ".join(sentences(made.summary))
    assert "hand was asked 6 questions; the documents answer 4 of them and leave 2 open." in said
    assert f"{share(made.summary.figure('right'))} of the answerable questions were answered right." in said
    assert "Without any answer: 1 (0 by an error); these score zero." in said


def test_what_is_marked(made: Made) -> None:
    case = CASES[0]
    shown = row(made.loaded, case, made.scores["amount", "asked"])
    assert [part.cited for part in shown.parts] == [True]
    assert [[piece.shared for piece in quote.pieces] for quote in shown.parts[0].quotes] == [[True], [False]]
    assert [(each.verdict, each.exact) for each in shown.cited] == [("gold", True)]
    assert [(said.numbers, said.support) for said in shown.said] == [((1,), "full")]
    shifted = row(made.loaded, CASES[3], made.scores["place", "asked"])
    assert [len(each.pieces) for each in shifted.cited] == [2, 2]  # the last character is past the gold
    assert [each.exact for each in shifted.cited] == [False, False]
    assert row(made.loaded, CASES[5], made.scores["detail", "asked"]).outcome == "no answer"
