"""Title, publisher, date and language: where they are stated, and nothing where they are not."""

import io
from datetime import date

import docx
import pytest
from pptx import Presentation

from index.load import load_bytes
from index.metadata import date_line, find_date, labelled_date
from index.models import Document

BODY = (
    "The Kestrel Fund is invented for these tests. It gave twelve grants in 2021, and the largest of them, $250,000, "
    "went to the Harbour Light Institute, which trains teachers in six regions of the country and writes about it."
)


def loaded(text: str, name: str = "a.txt") -> Document:
    return load_bytes(text.encode(), name)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("14.04.2021 08:58", date(2021, 4, 14)),
        ("2022-03-21", date(2022, 3, 21)),
        ("2022-03-29T09:00:00+01:00", date(2022, 3, 29)),
        ("2022/3/9", date(2022, 3, 9)),
        ("May 13, 2025", date(2025, 5, 13)),
        ("Sept. 5, 2021", date(2021, 9, 5)),
        ("13th of May 2025", date(2025, 5, 13)),
        ("13 мая 2025 г.", date(2025, 5, 13)),
        ("2025 жылғы 13 мамыр", date(2025, 5, 13)),
        ("13. Mai 2025", date(2025, 5, 13)),
        ("13 de mayo de 2025", date(2025, 5, 13)),
        ("3 août 2021", date(2021, 8, 3)),
        ("2025年5月13日", date(2025, 5, 13)),
        ("25/12/2021", date(2021, 12, 25)),
        ("12/25/2021", date(2021, 12, 25)),
        ("03/04/2021", None),
        ("2021-13-40", None),
        ("31.02.2021", None),
        ("2021", None),
        ("March 2021", None),
        ("5 grants 2021", None),
        ("grants 12, 2021", None),
        ("1.2.3.2021", None),
        ("12021-03-04", None),
    ],
)
def test_dates_are_whole_and_unambiguous(text, day):
    found = find_date(text)
    assert (found[0] if found else None) == day


def test_a_date_line_is_a_date_and_little_else():
    assert date_line("14.04.2021 08:58 (Moscow time)") == date(2021, 4, 14)
    assert date_line("29 March 2022 · 4 minutes to read") == date(2022, 3, 29)
    assert date_line("It was paid on 29 March 2022 in Perth.") is None
    assert labelled_date("Дата публикации: 29.03.2022, Перт") == (date(2022, 3, 29), 27)
    assert labelled_date("29.03.2022") is None


@pytest.mark.parametrize(
    ("text", "day", "origin"),
    [
        (f"A title\n\nAnna Example.\n14.04.2021 08:58\n\n{BODY}", date(2021, 4, 14), "line 4"),
        (f" date 2022-03-21 {BODY}\n\n{BODY} More.", date(2022, 3, 21), "line 1"),
        (
            f"News\n\nOn May 13, 2025, an article entitled “Schools” was published in the press.\n\n{BODY}",
            date(2025, 5, 13),
            "line 3",
        ),
        (f"REPORT\n\nPublished: 17 March 2020\n\n{BODY}", date(2020, 3, 17), "line 3"),
        (
            f"REPORT\n\nNotice. All is invented. Published on 8 April 2021 in Dundee.\n\n{BODY}",
            date(2021, 4, 8),
            "line 3",
        ),
        (f"REPORT\n\n{BODY} This annual report was published on 9 April 2021.\n\nThe end.", date(2021, 4, 9), "line 3"),
        (f"ОТЧЁТ\n\nОпубликовано 24 мая 2024 года, Перт.\n\n{BODY}", date(2024, 5, 24), "line 3"),
        (
            "\n\n".join([BODY] + [f"{BODY} {n}" for n in range(40)] + ["Published: 2021-05-06"]),
            date(2021, 5, 6),
            "line 83",
        ),
    ],
)
def test_published_is_found_where_it_is_stated(text, day, origin):
    document = loaded(text)
    assert (document.published, document.origins["published"]) == (day, origin)


@pytest.mark.parametrize(
    "text",
    [
        f"{BODY}\n\nIn 2020 the fund gave $5.\n\n{BODY} More.",
        f"{BODY} On 4 May 2021 the board met in Perth, and went home.",
        f"{BODY}\n\nThe decision of the office is dated July 28, 2015.",
        f"The UN's report on schools was published on 3 May 2019. {BODY}",
        f"A law of 14 April 2021\n\n{BODY}",
        f"Updated daily\n\n03/04/2021\n\n{BODY}",
        "Grantee,Published\nAcme,2021-05-06\nBeta,2021-05-07\n",
    ],
)
def test_a_date_in_the_text_is_not_when_it_was_published(text):
    assert loaded(text, "a.csv" if text.startswith("Grantee,") else "a.txt").published is None


@pytest.mark.parametrize(
    ("line", "publisher"),
    [
        ("Source: caravan.kz", "caravan.kz"),
        ("Источник: https://www.example.kz/", "example.kz"),
        ("Publisher: Kestrel Fund", "Kestrel Fund"),
        ("Published by Kestrel Fund.", "Kestrel Fund"),
        ("Issued by: Ministry of Tests", "Ministry of Tests"),
        ("Издатель: Фонд «Пустельга»", "Фонд «Пустельга»"),
        ("Source: World Bank, 2020", None),
        ("The publisher said nothing.", None),
        ("As the report seen by this paper says.", None),
    ],
)
def test_publisher_only_from_a_line_that_names_it(line, publisher):
    document = loaded(f"{BODY}\n\n{BODY} More.\n\n{line}")
    assert document.publisher == publisher
    assert ("publisher" in document.origins) == (publisher is not None)


@pytest.mark.parametrize(
    ("text", "title", "origin"),
    [
        (f"Versatile approach\n\n{BODY}", "Versatile approach", "line 1"),
        (
            f"The fund: its return to talks is important.\n{BODY}\n{BODY} More.",
            "The fund: its return to talks is important.",
            "line 1",
        ),
        (
            f"The Courier (a paper, invented, and so are its people, and all its figures)\n\nSmall fund\n\n{BODY}",
            "Small fund",
            "line 3",
        ),
        (f"THE FUND\nAnnual Report, 2019\n\n{BODY}\n\nMore words.", "THE FUND Annual Report, 2019", "line 1"),
        (f"News\n\n{BODY}\n\n{BODY} More.", None, None),
        (BODY, None, None),
    ],
)
def test_titles_of_plain_texts(text, title, origin):
    document = loaded(text)
    assert (document.title, document.origins.get("title")) == (title, origin)


def test_front_matter_says_it_all():
    front = "---\ntitle: 'A: title'\nPublisher: \"Kestrel Fund\"\ndate: 11 February 2022\nlang: de-DE\nother: x\n---\n"
    document = loaded(f"{front}# Heading\n\n{BODY}\n", "a.md")
    assert (document.title, document.publisher, document.published, document.language) == (
        "A: title",
        "Kestrel Fund",
        date(2022, 2, 11),
        "de",
    )
    assert set(document.origins.values()) == {"front matter"}
    assert document.text.startswith("Heading")


def page(head: str, body: str = "") -> Document:
    article = f"<article><h1>The heading</h1>{body}<p>{BODY}</p></article>"
    return loaded(f"<html lang='en'><head>{head}</head><body>{article}</body></html>", "a.html")


@pytest.mark.parametrize(
    ("head", "field", "value", "origin"),
    [
        ('<meta property="og:title" content="A title">', "title", "A title", "meta og:title"),
        ("<title>A title | Site</title>", "title", "The heading", "h1"),
        ('<meta property="og:site_name" content="Kestrel">', "publisher", "Kestrel", "meta og:site_name"),
        ('<meta name="DC.publisher" content="Kestrel">', "publisher", "Kestrel", "meta dc.publisher"),
        (
            '<script type="application/ld+json">{"@graph": [{"publisher": {"name": "Kestrel"}}]}</script>',
            "publisher",
            "Kestrel",
            "JSON-LD publisher",
        ),
        (
            '<meta property="article:published_time" content="2022-02-11T10:00Z">',
            "published",
            date(2022, 2, 11),
            "meta article:published_time",
        ),
        (
            '<script type="application/ld+json">{"datePublished": "2022-02-11"}</script>',
            "published",
            date(2022, 2, 11),
            "JSON-LD datePublished",
        ),
    ],
)
def test_metadata_of_web_pages(head, field, value, origin):
    document = page(head)
    assert (getattr(document, field), document.origins.get(field)) == (value, origin)


def test_dates_in_the_body_of_a_web_page():
    assert page("", '<time datetime="2022-02-11" pubdate>yesterday</time>').published == date(2022, 2, 11)
    assert page("", '<span itemprop="datePublished">11 February 2022</span>').published == date(2022, 2, 11)
    assert page("", "<p>It happened in May 2020.</p><footer>© 2019 Kestrel</footer>").published is None


def test_broken_annotations_are_passed_over():
    document = page('<script type="application/ld+json">{"publisher": </script><meta name="date" content="soon">')
    assert (document.publisher, document.published) == (None, None)


def saved(thing: object) -> bytes:
    out = io.BytesIO()
    thing.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("author", "publisher"), [("Kestrel Foundation", "Kestrel Foundation"), ("Anna Example", None), ("", None)]
)
def test_properties_of_office_files(author, publisher):
    document = docx.Document()
    document.core_properties.title = "Microsoft Word - draft.doc"
    document.core_properties.author = author
    document.add_heading("The real title", 0)
    document.add_paragraph(BODY)
    known = load_bytes(saved(document), "a.docx")
    assert (known.title, known.publisher, known.published) == ("The real title", publisher, None)
    deck = Presentation()
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Slide one"
    assert load_bytes(saved(deck), "a.pptx").title == "Slide one"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The fund gave grants to schools in the north.", "en"),
        ("Фонд выдал гранты школам на севере страны.", "ru"),
        ("Қор солтүстіктегі мектептерге гранттар берді.", "kk"),
        ("Фонд надав гранти школам на півночі країни.", "uk"),
        ("منحت المؤسسة منحا للمدارس في الشمال", "ar"),
        ("基金会向北方的学校发放了赠款，一共有十二所学校。", "zh"),
        ("Der Fonds vergab Zuschüsse an Schulen im Norden.", "de"),
        ("Le fonds a accordé des subventions à des écoles.", "fr"),
        ("$250,000 2021", None),
        ("IRI 5", None),
    ],
)
def test_language_is_told_where_there_are_words_enough(text, language):
    assert loaded(text).language == language


def test_the_scraped_articles(seeds):
    known = {path.name[:3]: load_bytes(path.read_bytes(), path.name) for path in sorted(seeds.glob("*.txt"))}
    assert [d.published for d in known.values()] == [
        date(2021, 4, 14),
        None,
        None,
        date(2022, 3, 21),
        date(2025, 5, 13),
    ]
    assert [d.publisher for d in known.values()] == [None, "caravan.kz", None, None, None]
    assert [d.origins.get("title") for d in known.values()] == ["line 1", "line 1", "line 1", None, None]


@pytest.mark.parametrize(
    ("title", "publisher"),
    [
        ("What we do | Delta Radio", "Delta Radio"),
        ("What we do – Delta Radio 98.2", "Delta Radio 98.2"),
        ("What we do", None),
        ("What we do and why | Delta Radio", None),  # the heading is not what stands before the site's name
    ],
)
def test_a_page_title_may_end_in_the_name_of_its_site(title, publisher):
    page = f"<html><head><title>{title}</title></head><body><h1>What we do</h1><p>{BODY}</p></body></html>"
    document = loaded(page, "a.html")
    assert (document.title, document.publisher) == ("What we do", publisher)
