"""Words that give something away: patterns, in English and Russian, for what a sentence holds and what it leans on."""

from __future__ import annotations

import re


def _any(*words: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile("|".join(words), flags)


_CURRENCIES = (
    "dollars?|euros?|pounds?|tenge|roubles?|rubles?|francs?|yen|USD|EUR|GBP|KZT|RUB|CHF"
    "|долл\\w*|евро|тенге|руб\\w*|фунт\\w*"
)
MONEY = _any(
    r"[$€£₸₽¥]\s?\d",
    rf"\d[\d.,\s]*\s?(?:thousand|million|billion|тыс\w*|млн|млрд|миллион\w*|миллиард\w*)?\.?\s?(?:US\s)?(?:{_CURRENCIES})\b",
    r"\b(?:USD|EUR|GBP|KZT|RUB|CHF)\s?\d",
)
NUMBER = _any(
    r"\d",
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen)\b",
    r"\b(?:seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|dozen|hundred|thousand|million)\b",
    r"\b(?:один|одна|две?|три|четыре|пять|шесть|семь|восемь|девять|десять|двенадцать|сто|тысяч\w*|миллион\w*)\b",
)
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
DATE = _any(
    r"\b(?:1[0-9]|20)\d{2}\b",
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b",
    r"\b(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b|\bcentury\b",
    r"\b(?:январ|феврал|март|апрел|ма[йя]\b|июн|июл|август|сентябр|октябр|ноябр|декабр)|\bвек[ае]?\b",
    flags=0,
)
CAUSE = _any(
    r"\b(?:because|due to|in order to|so that|as a result|for the purpose|aim(?:ed)? at|since|therefore)\b",
    r"\bto (?:help|support|promote|provide|train|protect|improve|make|create|allow|build|buy|pay)\b",
    r"\b(?:reasons?|cause[ds]?|purpose|for)\b",
    r"\b(?:чтобы|потому|из-за|поэтому|для|с целью|ради)\b",
)
DEFINES = _any(
    r"\b(?:is|are|was|were) (?:an?|the|one)\b",
    r"\b(?:means|known as|called|defined|stands for)\b|\brefers? to\b",
    r"\s[—–-]\s(?:это\b)?|\bявля\w+",
)
PLACE = _any(
    r"\b(?:in|at|near|from|to|of|on)\s+(?:the\s+)?[A-ZА-ЯЁ]", r"\b(?:в|во|на|из|под)\s+[А-ЯЁӘҒҚҢӨҰҮҺІ]", flags=0
)
LEANS = _any(
    r"^\W*(?:it|its|he|she|they|his|her|their|this|that|these|those|such|there|also|and|but|however)\b",
    r"^\W*(?:он|она|они|оно|это|эти|его|её|их|также|и|но)\b",
)
SUPERLATIVE = _any(
    r"\b(?:largest|biggest|highest|most|smallest|lowest|least|greatest)\b",
    r"\b(?:наибольш\w+|крупнейш\w+|наименьш\w+|сам(?:ый|ая|ое|ую|ым) (?:больш|крупн|мал)\w+)\b",
)
TOTAL = _any(
    r"\b(?:total\w*|altogether|together|in all|sum|add(?:s|ed)? up|overall|worth)\b",
    r"\b(?:всего|итого|общ\w+|сумм\w+)\b",
)
OF_MONEY = _any(
    r"\b(?:money|grants?|granted|sums?|amounts?|costs?|price|prices|budget|spen[dt]\w*|paid|pay|sold|invest\w*|fund\w*|award\w*)\b",
    r"\b(?:dollars?|euros?|pounds?|tenge|roubles?|rubles?|salary|salaries|rent)\b",
    r"\b(?:сумм\w+|грант\w*|деньг\w*|денег|стоил\w*|потрат\w+|выдел\w+|доллар\w*|евро|тенге|фунт\w*|руб\w*)\b",
)
PRONOUN = _any(
    r"^\W*(?:it|its|he|she|they|his|her|their|this|these|those)\b", r"^\W*(?:он|она|они|оно|его|её|их|это|эти)\b"
)


def has_number(text: str) -> bool:
    """Whether a text holds a number, in digits or words, that is not just a year."""
    return bool(NUMBER.search(YEAR.sub("", text)))
