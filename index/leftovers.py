"""Which blocks are leftovers: the furniture of web pages, and what a document says twice. They stay in the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from index.build import Parsed, trimmed
from index.metadata import date_line, labelled_date
from index.models import Block

_BODY = 150  # characters from which a paragraph of a scraped page is surely part of its article
_LONG = 60  # characters from which a sentence that returns under the same heading is a repeat
_VERY_LONG = 200  # the same under another heading
_TOO_LONG = 5000  # from here comparing word by word takes too long
_SAME = 0.94  # share of words in order that two paragraphs need to be one in two wordings
_SHORT_LINE = 120
_RULES_LENGTH = 600

_SOCIAL = frozenset(
    """facebook twitter x telegram whatsapp viber vk vkontakte вконтакте одноклассники ok linkedin pinterest reddit
    tumblr instagram youtube tiktok email e-mail mail print copy link pocket messenger threads bluesky mastodon share
    tweet поделиться печать скопировать ссылку on via""".split()
)
_NAVIGATION = frozenset(
    """home about us contact contacts news search menu login log in sign up register subscribe archive archives blog
    events main privacy cookies accessibility sitemap careers donate rss terms of use help faq our the how to apply
    programmes главная новости контакты о нас поиск меню вход регистрация архив реклама подписка басты бет
    жаңалықтар""".split()
)
_WEEKDAYS = frozenset(
    """mon tue tues wed thu thur thurs fri sat sun mo tu we th fr sa su total пн вт ср чт пт сб вс дс сс бс жм сн жк
    понедельник вторник среда четверг пятница суббота воскресенье""".split()
)


def _rules(rules: str) -> tuple[tuple[str, int, re.Pattern[str]], ...]:
    """Rules from lines "what it is | longest | pattern of the whole block", blanks around the bars ignored."""
    found = []
    for line in filter(None, map(str.strip, rules.splitlines())):
        why, longest, pattern = line.split(" | ", 2)
        found.append((why.strip(), int(longest), re.compile(pattern.strip(), re.I | re.S)))
    return tuple(found)


_FURNITURE = _rules(r"""
gallery link | 40 | (?:(?:go to|open|view|see)\s+)?(?:the\s+)?(?:photo\s+|image\s+)?gallery(?:\s+page)?
gallery link | 60 | перейти (?:в|к|на) .{0,20}галере\w*.{0,20}
subscription | 300 | (?:please )?subscribe (?:to|for|now|here)\b.*
subscription | 300 | sign up (?:for|to) (?:our|the|receive|get)\b.*
subscription | 300 | (?:follow us|join us on|подпи(?:шитесь|сывайтесь|саться)|жазылыңыз|читайте нас в)\b.*
share links | 120 | share this (?:article|page|story|post|news)\b.*
share links | 120 | share (?:on|via) (?:facebook|twitter|x|telegram|e-?mail|social)\b.*
share links | 120 | поделиться(?:\s+(?:в|с|на|новостью)\b.*)?|бөлісу
error report | 300 | .{0,40}if you .{0,60}(?:error|mistake|typo).{0,60}(?:select|highlight|press|click|ctrl|let us).*
error report | 300 | .{0,40}(?:нашли|заметили|обнаружили).{0,60}(?:ошибк|опечатк).{0,60}(?:выделит|нажмит|сообщ|ctrl).*
tags | 200 | (?:tags?|filed under|теги|тэги|метки|тегтер)\s*:.*
view counter | 40 | (?:(?:page\s)?views?|view count|hits|просмотр\w*|қаралым\w*|қаралды)\s*:?\s*\d[\d\s.,]*[kк]?
reading time | 40 | (?:reading time\s*:?\s*)?\d+\s*(?:-\s*)?min(?:ute)?s?(?:\s+to)?(?:\s+read(?:ing)?(?:\s+time)?)?
photo credit | 120 | (?:photo|image|picture|фото|сурет)s?(?:\s+(?:credit|source)s?)?(?:\s*[:©/]|\s+(?:by|courtesy)\b).*
photo credit | 120 | ©.*
photo credit | 120 | (?:[^.!?]{0,60}\s)?(?:AP Photo|Getty Images|AFP|REUTERS|EPA|Shutterstock|РИА Новости|ТАСС)\s*/.*
copyright | 200 | (?:copyright\s*)?(?:©|\(c\)|copyright)\s*(?:19|20)\d\d.*
copyright | 200 | .*\ball rights reserved\b.*|.*\bвсе права защищены\b.*
comment form | 100 | (?:leave|post|add|write) (?:a|your) (?:comment|reply).*|no comments(?: yet)?
comment form | 100 | be the first to comment.*
comment form | 100 | (?:оставить|добавить) комментарий.*
advertisement | 30 | advertisement|advertising|sponsored(?: content)?|реклама|жарнама
cookie notice | 60 | (?:accept|reject|allow) (?:all )?cookies?
""")
# What is furniture only where a page was scraped: in a report "News" or "Contact" heads a chapter.
_SCRAPED = _rules(r"""
share links | 40 | share|share:.*
view counter | 40 | \d[\d\s.,]*[kк]?\s*(?:views?|comments?|shares?|likes?|просмотр\w*|комментари\w*)
related links | 200 | (?:read (?:also|more|next)|see also|more on this|you may also like|most read)(?:\s*:.*)?
related links | 200 | (?:читайте также|смотрите также|читать далее|ещё по теме|по теме)(?:\s*:.*)?
section label | 30 | (?:latest |breaking |top |world |all )?news|новости|жаңалықтар|opinions?|analytics|политика
menu | 40 | home|home page|menu|search|log ?in|sign ?in|sign ?up|register|my account|skip to (?:main )?content
menu | 40 | back to top|print(?: this page)?|copy link|главная|меню|поиск|войти|вход|регистрация|наверх|печать
menu | 120 | [^|.!?\d]{2,30}(?:\|[^|.!?\d]{2,30})+
photo caption | 100 | (?:group |file |archive )?photo (?:with|of|from)\b[^.]*\.?
source line | 80 | (?:source|источник|дереккөз)\s*:\s*(?:https?://)?(?:[\w-]+\.)+[^\W\d_]{2,}/?
""")
_RULES_WORDS = ("comment", "комментари", "prohibited", "forbidden", "not allowed", "запрещ")
_COOKIES = re.compile(r"\b(?:we|this (?:web)?site) uses? cookies\b|используем (?:файлы )?cookies?\b", re.I)
_RULES = re.compile(
    r"(?=.*\b(?:comment|комментари))"
    r"(?=.*(?:rule|prohibit|delet|block|moderat|publish|insult|правил|запрещ|удал|модер))",
    re.I | re.S,
)
_PROHIBITED = re.compile(
    r".*\b(?:links?|spam|insults?|advertis\w*|ссыл\w*)\b.*\b(?:prohibited|forbidden|not allowed|запрещен\w*)\W*",
    re.I | re.S,
)
_MONTH_TITLE = re.compile(r"\W*[^\W\d_]{3,12}(?:\s+\d{4})?\W*")
_TIME_ZONE = re.compile(r"\btime\b|\b(?:GMT|UTC|MSK|CET)\b|врем[яени]", re.I)
_DAY_NUMBERS = re.compile(r"[\d\s]+")
_WORDS = re.compile(r"[\w-]+")
_STOP = re.compile(r"[.!?…。！？؟]+\s*")
_SENTENCE = re.compile(r"\S.*?(?:[.!?…。！？؟]+[\"”»’)]*(?=\s|$)|(?<=[。！？])|$)", re.S)
_NEGATIONS = frozenset(
    "no not never none neither nor without cannot не нет ни никогда без емес жоқ kein keine nicht ne pas".split()
)
_PUNCTUATION = ".,;:!?…()[]{}\"'“”„‘’«»–—-*"
_MOST_VERSIONS = 8


def mark(parsed: Parsed) -> Parsed:
    """The same text with its leftovers marked; blocks may be divided for it, but never moved."""
    text = parsed.text
    blocks = [part for block in parsed.blocks for part in _divided(text, block, scraped=parsed.scraped)]
    blocks = _furniture(text, blocks, scraped=parsed.scraped)
    return parsed._replace(blocks=_repeats(text, blocks))


def _leftover(block: Block, why: str) -> Block:
    return block.model_copy(update={"kind": "leftover", "level": 0, "cells": (), "why": why})


def _divided(text: str, block: Block, *, scraped: bool) -> list[Block]:
    """A paragraph without the date that a scraper put before it, and without sentences said three times or more."""
    if block.kind != "paragraph":
        return [block]
    parts: list[Block] = []
    start = block.start
    head = labelled_date(text[start : min(block.end, start + 80)]) if scraped else None
    if head and ":" not in text[start : start + head[1]]:
        after, _ = trimmed(text, start + head[1], block.end)
        if after < block.end and text[after].isupper():
            parts.append(block.model_copy(update={"end": start + head[1], "kind": "leftover", "why": "date line"}))
            start = after
    return parts + _without_echo(text, block.model_copy(update={"start": start}))


def _without_echo(text: str, block: Block) -> list[Block]:
    """A paragraph in which one sentence stands three times or more, divided so that each is indexed once."""
    pieces = _STOP.split(text[block.start : block.end])
    if len(pieces) - len(set(pieces)) < 2:
        return [block]
    spans = [found.span() for found in _SENTENCE.finditer(text, block.start, block.end)]
    counts = Counter(_key(text[a:b]) for a, b in spans)
    echoed = {key for key, count in counts.items() if count > 2 and len(_WORDS.findall(key)) > 2}
    if not echoed:
        return [block]
    seen: set[str] = set()
    runs: list[tuple[int, int, bool]] = []
    for start, end in spans:
        key = _key(text[start:end])
        again = key in echoed and key in seen
        seen.add(key)
        if runs and runs[-1][2] == again:
            runs[-1] = (runs[-1][0], end, again)
        else:
            runs.append((start, end, again))
    whole = [block.model_copy(update={"start": a, "end": b}) for a, b, _ in runs]
    return [
        _leftover(part, "repeats an earlier sentence") if run[2] else part
        for part, run in zip(whole, runs, strict=True)
    ]


def _key(text: str) -> str:
    """Words as they are compared: without case and line breaks."""
    return " ".join(text.casefold().split())


def _furniture(text: str, blocks: list[Block], *, scraped: bool) -> list[Block]:
    """The blocks with the furniture of web pages marked."""
    words = [" ".join(text[b.start : b.end].split()) if b.kind != "row" else "" for b in blocks]
    rules = (*_FURNITURE, *_SCRAPED) if scraped else _FURNITURE
    why: list[str | None] = [block.why if block.kind == "leftover" else None for block in blocks]
    for n, block in enumerate(blocks):
        if why[n] is None and block.kind in ("paragraph", "item", "heading"):
            why[n] = _pattern(words[n], rules) or _word_list(words[n])
            if "cookies" in words[n] and len(words[n]) <= _RULES_LENGTH and _COOKIES.search(words[n]):
                why[n] = "cookie notice"
    _calendars(words, why)
    _captions(blocks, words, why)
    if scraped:
        bodies = [n for n, b in enumerate(blocks) if why[n] is None and b.kind == "paragraph" and _is_body(words[n])]
        _top(blocks, words, why, bodies[0] if bodies else len(blocks))
        _bottom(blocks, words, why, bodies)
    return [_leftover(block, reason) if reason else block for block, reason in zip(blocks, why, strict=True)]


def _pattern(words: str, rules: Iterable[tuple[str, int, re.Pattern[str]]]) -> str | None:
    return next((why for why, longest, pattern in rules if len(words) <= longest and pattern.fullmatch(words)), None)


def _word_list(words: str) -> str | None:
    """Whether a short line is made of nothing but names of networks or entries of a menu."""
    if len(words) > _SHORT_LINE:
        return None
    tokens = [token.casefold() for token in _WORDS.findall(words)]
    if len(tokens) > 1 and all(token in _SOCIAL for token in tokens):
        return "share links"
    entries = [entry for entry in re.split(r"\s*[|/•·»›]\s*|\s{2,}|\t", words) if entry]
    if len(entries) > 2 and all(token in _NAVIGATION for token in tokens):
        return "menu"
    return None


def _is_body(words: str) -> bool:
    return len(words) >= _BODY and not _is_rules(words)


def _is_rules(words: str) -> bool:
    """Whether a paragraph is about what may be written in comments."""
    if len(words) > _RULES_LENGTH or not any(word in words.casefold() for word in _RULES_WORDS):
        return False
    return bool(_RULES.match(words) or _PROHIBITED.fullmatch(words))


def _calendars(words: list[str], why: list[str | None]) -> None:
    """Mark a calendar: a line of weekdays, the lines of days below it, and the names of months around them."""
    for n, line in enumerate(words):
        tokens = [token.casefold() for token in _WORDS.findall(line)]
        if len(tokens) < 5 or sum(token in _WEEKDAYS for token in tokens) < 5:
            continue
        first = last = n
        while first and n - first < 3 and _MONTH_TITLE.fullmatch(words[first - 1]):
            first -= 1
        while last + 1 < len(words) and (_DAY_NUMBERS.fullmatch(words[last + 1]) or _is_month(words[last + 1])):
            last += 1
        why[first : last + 1] = ["calendar"] * (last + 1 - first)


def _is_month(words: str) -> bool:
    """Whether a line is a month's name with an arrow, as it leads to another page of a calendar."""
    return bool(_MONTH_TITLE.fullmatch(words)) and not words[0].isalnum()


def _captions(blocks: list[Block], words: list[str], why: list[str | None]) -> None:
    """Mark the short item above a photo credit in the same list: the photo's caption."""
    for n in range(1, len(blocks)):
        above = blocks[n - 1]
        short = len(words[n - 1]) <= _SHORT_LINE and above.kind == blocks[n].kind == "item"
        if why[n] == "photo credit" and why[n - 1] is None and short:
            why[n - 1] = "photo caption"


def _top(blocks: list[Block], words: list[str], why: list[str | None], first_body: int) -> None:
    """Mark what stands above an article beside its name: the date, and the sections that it was filed under."""
    near = -9
    for n in range(first_body):
        if why[n]:
            near = n
        elif blocks[n].kind not in ("paragraph", "item", "heading"):
            continue
        elif (date_line(words[n]) and not labelled_date(words[n])) or (
            near == n - 1 and why[near] == "date line" and _is_place(words[n])
        ):
            why[n], near = "date line", n
        elif n - near <= 2 and _is_tag_line(words[n]):
            why[n], near = "tags", n


def _is_place(words: str) -> bool:
    """Whether a line goes on from a date: a time zone, and a town at most."""
    return len(words) <= 40 and _TIME_ZONE.search(words) is not None


def _is_tag_line(words: str) -> bool:
    """Whether a line is a list of sections: four or more short names without a sentence around them."""
    names = [name.strip() for name in words.split(",")]
    short = all(0 < len(name.split()) <= 4 and not any(c.isdigit() for c in name) for name in names)
    return len(names) >= 4 and short and words[-1] not in ".!?:"


def _bottom(blocks: list[Block], words: list[str], why: list[str | None], bodies: list[int]) -> None:
    """Mark what stands below an article: rules for comments, links to other articles, and remains of forms.

    Below the last long paragraph everything short is furniture once two pieces of furniture were seen there.
    """
    tail = range(bodies[-1] + 1 if bodies else 0, len(blocks))
    for n in tail:
        if why[n] is None and blocks[n].kind in ("paragraph", "item", "heading"):
            if _is_rules(words[n]):
                why[n] = "comment rules"
            elif n and why[n - 1] == "related links" and len(words[n]) <= _SHORT_LINE and words[n][-1] not in ".!":
                why[n] = "related links"
    seen = 0
    for n in tail:
        if why[n]:
            seen += why[n] not in ("rule", "photo credit", "photo caption")
        elif seen > 1 and bodies and len(words[n]) < _BODY and blocks[n].kind in ("paragraph", "item", "heading"):
            why[n] = "page footer"


def _repeats(text: str, blocks: list[Block]) -> list[Block]:
    """The blocks with those marked that say again what an earlier one said; table rows and short labels may return.

    The same few words below another heading may be about something else, so only a long paragraph or a run of
    repeats counts there.
    """
    keys = [_key(text[b.start : b.end]) if b.kind not in ("row", "leftover") else "" for b in blocks]
    heads: list[str] = []
    head = ""
    for block, key in zip(blocks, keys, strict=True):
        head = key if block.kind == "heading" else head
        heads.append(head)
    first: dict[str, int] = {}
    earlier: dict[int, int] = {}
    counts = Counter(keys)
    for n, key in enumerate(keys):
        if key and blocks[n].kind != "heading":
            length = blocks[n].end - blocks[n].start
            known = first.setdefault(key, n)
            same_head = heads[n] == heads[known]
            if known != n and (length >= _VERY_LONG or (same_head and (length >= _LONG or counts[key] > 2))):
                earlier[n] = known
    earlier |= _reworded(text, blocks, [n for n in range(len(blocks)) if n not in earlier and keys[n]])
    _grow(keys, earlier)
    return [_leftover(b, "repeats an earlier paragraph") if n in earlier else b for n, b in enumerate(blocks)]


def _grow(keys: list[str], earlier: dict[int, int]) -> None:
    """Let repeats take in the short blocks and headings between and beside them that return in the same order."""
    for step in (1, -1):
        for n in sorted(earlier, reverse=step < 0):
            a, b = n + step, earlier[n] + step
            while (
                min(a, b) >= 0
                and max(a, b) < len(keys)
                and b < a
                and a not in earlier
                and keys[a]
                and keys[a] == keys[b]
            ):
                earlier[a] = b
                a, b = a + step, b + step


def _reworded(text: str, blocks: list[Block], candidates: list[int]) -> dict[int, int]:
    """Long paragraphs that an earlier one already says in nearly the same words: block number -> the earlier one's.

    Templates ("In 2021 the fund gave …") differ in few words too, so numbers, names and negations must be the same.
    """
    from difflib import SequenceMatcher

    sizes = range(_VERY_LONG, _TOO_LONG)
    alike: dict[frozenset[str], list[tuple[int, list[str]]]] = {}
    found: dict[int, int] = {}
    for n in candidates:
        if blocks[n].kind != "paragraph" or blocks[n].end - blocks[n].start not in sizes:
            continue
        paragraph = text[blocks[n].start : blocks[n].end].replace("n't", " not").replace("n’t", " not")
        words = [word.strip(_PUNCTUATION) for word in paragraph.split()]
        # What is not all small letters is a number, a name, or of a script without small letters.
        telling = frozenset([word for word in words if not word.islower()]) | _NEGATIONS.intersection(words)
        others = alike.setdefault(telling, [])
        for m, other in others:
            matcher = SequenceMatcher(None, other, words, autojunk=False)
            if matcher.real_quick_ratio() >= _SAME and matcher.quick_ratio() >= _SAME and matcher.ratio() >= _SAME:
                found[n] = m
                break
        else:
            if len(others) < _MOST_VERSIONS:
                others.append((n, words))
    return found
