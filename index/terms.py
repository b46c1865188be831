"""Words to search terms: folded, stemmed by script, numbers in one form. Every engine is given these, so they agree."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import Stemmer

# A number with its separators, a run of one script without spaces (cut in pairs), or a word.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\W\d_]+(?:['’][^\W\d_]+)?|\w+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_RUNS = "\u3040"  # where scripts without spaces begin
_ENGLISH, _RUSSIAN = Stemmer.Stemmer("english"), Stemmer.Stemmer("russian")

STOP = frozenset(
    """a about after again all also an and any are as at be because been being between both but by can could did do does
    doing for from further get give given had has have having he her here him his how i if in into is it its itself just
    many me more most much my no nor not of on once only or other our out over own please same she should show so some
    such tell than that the their them then there these they this those to too under until up very was we were what when
    where which while who whom whose why will with would you your
    а без бы был была были было быть в вам вас весь во вот все всё вы где да для до его ее её если есть еще ещё же
    за и из или им их к как какая какие какой какую ко когда кому которая которые который кто куда ли мне мы на над
    не него нее неё ней нет ни но ну о об он она они оно от по под при про с со так также там то того тоже той
    только том ты у уже чего чей чем что чтобы эта эти это этого этой этом этот я""".split()
)


@lru_cache(maxsize=200_000)
def term(word: str) -> str:
    """The search term of one word: "Grants" and "grant's" are "grant", "1,338,860" is "1338860"."""
    word = unicodedata.normalize("NFKC", word).casefold()
    if word[0].isdigit():
        return _THOUSANDS.sub("", word)
    word = re.sub(r"['’]s?$|['’].*$", "", word) or word
    if "\u0400" <= word[0] <= "\u052f":
        return str(_RUSSIAN.stemWord(word.replace("ё", "е")))
    folded = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return str(_ENGLISH.stemWord(folded or word))


def words(text: str) -> list[tuple[int, int]]:
    """The ranges of the words and numbers of a text."""
    return [match.span() for match in _TOKEN.finditer(text)]


def terms(text: str) -> list[str]:
    """The search terms of a text, in order, with repeats; scripts without spaces give overlapping pairs."""
    found: list[str] = []
    for token in _TOKEN.findall(text):
        if token[0] >= _RUNS and _is_run(token) and len(token) > 1:
            found += [token[n : n + 2] for n in range(len(token) - 1)]
        else:
            found.append(term(token))
    return found


def content_terms(text: str) -> list[str]:
    """The terms of a text without stop words, in order and without repeats; all of them where nothing else is left."""
    tokens = dict.fromkeys(_TOKEN.findall(text))
    kept = [t for w in tokens if (t := _content(w))]
    kept += [t for w in tokens if w[0] >= _RUNS and _is_run(w) for t in terms(w)]
    return list(dict.fromkeys(kept or terms(text)))


@lru_cache(maxsize=200_000)
def _content(word: str) -> str | None:
    """The search term of a word; ``None`` for a stop word, and for a run without spaces, which has several."""
    return None if word.casefold() in STOP or _is_run(word) else term(word)


def _is_run(token: str) -> bool:
    return _RUNS <= token[0] <= "\ud7af"
