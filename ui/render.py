"""An answer in the forms that people take it away in: chat HTML, plain text, CSV, and whole conversations as files.

Everything that comes from a document, a question or a model is text here: it is escaped for the form that it goes into,
so that markup in it is shown and never run, and an image in it is never fetched.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from rag.models import Answer, Citation, Claim, Nearest, Note, Row
from ui.models import Feedback
from ui.texts import TEXTS

_COLUMNS = ("name", "amount", "period", "purpose")
_PAGE = 50  # rows
_MARKER = re.compile(r"\[\d+\]")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
# Markdown reads an entity as the sign itself, never as syntax of its own, and so does HTML.
_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\"'\\`*_[]()#!~|$:"} | {0: "\ufffd"}
_MARKDOWN_FILE = re.compile(r"([\\`*_\[\]<>!#|~&])")
_LINE_START = re.compile(r"^(\s*(?:\d+(?=[.)])|))([-+.)=])", re.MULTILINE)


class Turn(NamedTuple):
    """One question of a conversation and its answer."""

    question: str
    answer: Answer


def question_html(question: str, understood: str | None = None, ident: str = "", language: str = "en") -> str:
    """A question as the chat shows it: its own characters, and nothing else.

    Args:
        understood: what it was taken for, if that was not what was typed; shown with a button to ask it as typed.
        ident: the id of its answer.
    """
    asked = f'<div class="pin-question">{_text(question)}</div>'
    if understood is None:
        return asked
    say = TEXTS[language]
    button = f'<button type="button" class="other alone act-{_checked(ident)}">{say["as_typed"]}</button>'
    return f'{asked}<p class="pin-understood"><span>{say["understood"]}</span> “{_text(understood)}” {button}</p>'


def pending_html(language: str = "en") -> str:
    """What stands in the place of what is still to come; `growing.js` puts there what is being written."""
    return f'<div class="pin-pending">{TEXTS[language]["pending"]}</div>'


def written_html(answer: Answer, ident: str, sections: Mapping[int, str], language: str = "en") -> str:
    """The claims of an answer that is still being written, with their chips; see `answer_html`."""
    chips = _all_chips(answer, _checked(ident), sections, TEXTS[language])
    lines = (f'<p class="claim">{_text(claim.text)} {_chips(claim.citations, chips)}</p>' for claim in answer.claims)
    return f'<div class="pin-written">{"".join(lines)}</div>'


def answer_html(
    answer: Answer, ident: str, sections: Mapping[int, str], language: str = "en", feedback: Sequence[Feedback] = ()
) -> str:
    """An answer as the chat shows it: one HTML block without blank lines, so that no Markdown is read in it.

    Args:
        ident: the answer's id, of letters and digits; chips are named ``cite-<ident>-<number>`` by it.
        sections: for the number of each citation, the headings above its words.
        language: of the interface's own words.
        feedback: what the reader thought of it.

    Raises:
        ValueError: the id holds other characters.
    """
    say = TEXTS[language]
    chips = _all_chips(answer, _checked(ident), sections, say)
    parts = [f'<div class="pin-answer {answer.status}">']
    if answer.status == "refused":
        parts.append(f'<p class="silent">{_text(answer.text)}</p>')
        if answer.choices:
            parts += _choices(answer.choices, ident)
        elif answer.reason:
            parts.append(f'<p class="why"><span>{say["reason"]}:</span> {say[answer.reason]}</p>')
        parts += [_note(note, ident, say) for note in answer.notes]
        parts += _nearest(answer.nearest, say)
    else:
        parts += [_table(answer.rows, chips, ident, say)] if answer.rows else []
        parts += _claims(_beside_rows(answer), chips)
        if answer.notes:
            notes = "".join(_chipped(note, chips) for note in answer.notes)
            parts.append(f'<div class="notes"><p class="label">{say["notes"]}</p><ul>{notes}</ul></div>')
    parts += [_actions(answer, ident, say, feedback), "</div>"]
    return "".join(parts)


def _checked(ident: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z]+", ident):
        raise ValueError(f"{ident!r} is no id of an answer: it may hold only letters and digits")
    return ident


def _choices(choices: Sequence[str], ident: str) -> Iterable[str]:
    """What an ambiguous question may mean, each to be asked by one click."""
    buttons = (
        f'<li><button type="button" class="other choice choice-{n} act-{ident}">{_text(choice)}</button></li>'
        for n, choice in enumerate(choices)
    )
    return ('<ul class="choices">', *buttons, "</ul>")


def _line(words: str) -> str:
    return " ".join(words.split())


def _text(words: str) -> str:
    """Words as HTML in which neither markup nor Markdown is left; numbers in brackets of their own are set as code."""
    joined = _line(words)
    out, at = [], 0
    for marker in _MARKER.finditer(joined):
        out += [_plain(joined[at : marker.start()]), f'<code class="theirs">{_plain(marker[0])}</code>']
        at = marker.end()
    return "".join([*out, _plain(joined[at:])])


def _plain(words: str) -> str:
    return words.translate(_ENTITIES)


def _all_chips(answer: Answer, ident: str, sections: Mapping[int, str], say: Mapping[str, str]) -> dict[int, str]:
    """The chip of each citation of an answer and of its notes, by number."""
    cited = {c.number: c for c in answer.citations} | {c.number: c for n in answer.notes for c in n.citations}
    return {number: _chip(c, ident, sections.get(number, ""), say) for number, c in cited.items()}


def _chip(citation: Citation, ident: str, section: str, say: Mapping[str, str]) -> str:
    place = " — ".join(part for part in (citation.title or citation.source, section) if part)
    hidden = f" ({citation.hidden})" if citation.hidden else ""
    title = _plain(f"{_line(place)}: “{_line(citation.quote)}”{hidden}")
    return (
        f'<button type="button" class="cite cite-{ident}-{citation.number}" title="{title}">'
        f'<span class="unseen">{say["source"]} </span>{citation.number}</button>'
    )


def _chips(numbers: Iterable[int], chips: Mapping[int, str]) -> str:
    return "".join(chips[number] for number in numbers)


def _claims(claims: Sequence[Claim], chips: Mapping[int, str]) -> list[str]:
    lines = [f"{_text(claim.text)} {_chips(claim.citations, chips)}" for claim in claims]
    if len(lines) > 3:
        return ['<ul class="claims">', *(f"<li>{line}</li>" for line in lines), "</ul>"]
    return [f'<p class="claim">{line}</p>' for line in lines]


def _beside_rows(answer: Answer) -> list[Claim]:
    """The claims that a table does not already show: those with a citation that no row has."""
    shown = {number for row in answer.rows for number in row.citations}
    return [claim for claim in answer.claims if not shown.issuperset(claim.citations)]


def _columns(rows: Sequence[Row]) -> list[str]:
    return [column for column in _COLUMNS if column == "name" or any(getattr(row, column) for row in rows)]


def _table(rows: Sequence[Row], chips: Mapping[int, str], ident: str, say: Mapping[str, str]) -> str:
    """A table of rows, a page of them at a time; the pages after the first wait for a click."""
    columns = _columns(rows)
    head = "".join(f'<th scope="col">{say[column]}</th>' for column in columns)
    pages = [rows[at : at + _PAGE] for at in range(0, len(rows), _PAGE)]
    bodies = ["".join(_row(row, columns, chips, say) for row in page) for page in pages]
    body = '</tbody><tbody class="later">'.join(bodies)
    table = f'<div class="rows" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    if len(pages) == 1:
        return table
    left = f'{say["show_more"]} (<span class="left">{len(rows) - _PAGE}</span>)'
    return f'{table}<button type="button" class="other unfold act-{ident}">{left}</button>'


def _row(row: Row, columns: Sequence[str], chips: Mapping[int, str], say: Mapping[str, str]) -> str:
    # The chips stand by the name, where a narrow screen shows them without scrolling.
    cells = [f'<th scope="row">{_text(row.name)} {_chips(row.citations, chips)}</th>']
    for column in columns[1:]:
        value = getattr(row, column)
        shown = _text(value) if value else f'<span class="missing">{say["not_given"]}</span>'
        cells.append(f'<td class="{column}">{shown}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _chipped(note: Note, chips: Mapping[int, str]) -> str:
    return f'<li class="note {_kind(note)}">{_text(note.text)} {_chips((c.number for c in note.citations), chips)}</li>'


def _note(note: Note, ident: str, say: Mapping[str, str]) -> str:
    """A note beneath a refusal: its words are quoted in full, with a button to read each where it stands."""
    quoted = "".join(_passage(c.title or c.source, c.quote, f"cite-{ident}-{c.number}", say) for c in note.citations)
    return f'<div class="near {_kind(note)}"><p class="label">{_text(note.text)}</p><ul>{quoted}</ul></div>'


def _nearest(nearest: Sequence[Nearest], say: Mapping[str, str]) -> list[str]:
    if not nearest:
        return []
    items = (
        _passage(n.title or n.source, n.quote, f"near-{_token(n.document)}-{n.start}-{n.end}", say) for n in nearest
    )
    return [f'<div class="near"><p class="label">{say["nearest"]}</p><ul>', *items, "</ul></div>"]


def _passage(title: str, quote: str, target: str, say: Mapping[str, str]) -> str:
    return (
        f'<li><p class="from">{_text(title)}</p><blockquote>{_quoted(quote)}</blockquote>'
        f'<button type="button" class="read {target}">{say["read_in_document"]}</button></li>'
    )


def _quoted(words: str) -> str:
    """Words of a document, with its headings and paragraphs on lines of their own."""
    return "<br>".join(_text(part) for part in words.split("\n\n") if part.strip())


def _kind(note: Note) -> str:
    return _token(note.kind)


def _token(word: str) -> str:
    """A word as one class name."""
    return re.sub(r"[^0-9A-Za-z_]", "_", word)


def _actions(answer: Answer, ident: str, say: Mapping[str, str], feedback: Sequence[Feedback]) -> str:
    """What can be done with an answer; the class "on" stands for a thumb that was given."""
    given = {"up": "good", "down": "bad"}
    on = {given.get(one.value) for one in feedback if one.citation is None}
    buttons = "".join(
        f'<button type="button" class="act {name}{" on" if name in on else ""} act-{ident}" title="{say[name]}">'
        f'<span class="name">{say[name]}</span></button>'
        for name in ("copy", *(["csv"] if answer.rows else []), "retry", "good", "bad")
    )
    return f'<div class="acts">{buttons}</div>'


def plain_text(answer: Answer, language: str = "en") -> str:
    """An answer as text, with ``[1]`` and a list of its sources."""
    say = TEXTS[language]
    lines = []
    if answer.status == "refused":
        lines += [answer.text, *(f"- {_line(choice)}" for choice in answer.choices)]
    else:
        for row in answer.rows:
            told = "; ".join(value for column in _COLUMNS if (value := getattr(row, column)))
            lines.append(f"- {told} {_marks(row.citations)}")
        lines += [f"{_line(claim.text)} {_marks(claim.citations)}" for claim in _beside_rows(answer)]
    for note in answer.notes:
        lines += ["", f"{_line(note.text)} {_marks(c.number for c in note.citations)}".strip()]
    sources = [*answer.citations, *(c for note in answer.notes for c in note.citations)]
    if sources:
        lines += ["", f"{say['sources']}:", *(f"[{c.number}] {_source(c, say)}" for c in sources)]
    return "\n".join(lines) + "\n"


def _marks(numbers: Iterable[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)


def _source(citation: Citation, say: Mapping[str, str]) -> str:
    known = (
        citation.title or citation.source,
        citation.publisher,
        citation.published.isoformat() if citation.published else None,
        say["page"].format(n=citation.page) if citation.page else None,
        citation.hidden,
    )
    return f"{', '.join(part for part in known if part)}: “{_line(citation.quote)}” ({citation.source})"


def csv_text(answer: Answer, language: str = "en") -> str:
    """The table of an answer as CSV (RFC 4180), a line for each row, with its sources; every cell is safe to open.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it
    (OWASP, "CSV Injection").
    """
    say = TEXTS[language]
    cited = {c.number: c for c in answer.citations}
    columns = _columns(answer.rows)
    out = io.StringIO(newline="")
    lines = csv.writer(out)
    lines.writerow([say[name] for name in (*columns, "document", "publisher", "published", "quote")])
    for row in answer.rows:
        sources = [cited[number] for number in row.citations]
        cells = [getattr(row, column) or "" for column in columns]
        cells.append(" | ".join(c.title or c.source for c in sources))
        cells.append(" | ".join(dict.fromkeys(c.publisher for c in sources if c.publisher)))
        cells.append(" | ".join(c.published.isoformat() for c in sources if c.published))
        cells.append(" | ".join(_line(c.quote) for c in sources))
        lines.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: str) -> str:
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value


def conversation_markdown(title: str, turns: Iterable[Turn], language: str = "en") -> str:
    """A conversation as Markdown; signs that Markdown reads are escaped wherever they come from a document."""
    lines = [f"# {_markdown(title)}", ""]
    for turn in turns:
        lines += [f"## {_markdown(turn.question)}", ""]
        for paragraph in plain_text(turn.answer, language).split("\n"):
            lines += [_markdown(paragraph), ""] if paragraph else []
    return "\n".join(lines).rstrip() + "\n"


def _markdown(words: str) -> str:
    return _LINE_START.sub(r"\1\\\2", _MARKDOWN_FILE.sub(r"\\\1", _line(words)))


_EXPORT = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif; color: #1c2430; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 2.5rem; }} p {{ margin: .5rem 0; }}
</style>
</head>
<body>
<h1>{title}</h1>
{turns}
</body>
</html>
"""


def conversation_html(title: str, turns: Iterable[Turn], language: str = "en") -> str:
    """A conversation as one HTML file that loads nothing."""
    parts = []
    for turn in turns:
        parts.append(f"<h2>{escape(turn.question)}</h2>")
        lines = plain_text(turn.answer, language).split("\n")
        parts += [f"<p>{escape(line)}</p>" for line in lines if line]
    return _EXPORT.format(language=escape(language), title=escape(title), turns="\n".join(parts))
