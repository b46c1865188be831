"""Retrieval test sets: BEIR folders in and out, SciFact, Cranfield."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from eval.retrieval import Qrels, existing, fields_of, read_qrels, read_text
from index.errors import UsageError


class Collection(NamedTuple):
    """A retrieval test set: documents with title and text, queries, and judgements."""

    name: str
    documents: dict[str, tuple[str, str]]
    queries: dict[str, str]
    qrels: Qrels


def read_beir(folder: str | Path, split: str = "test") -> Collection:
    """Read a folder in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv``.

    Only the judged queries of the split are kept.

    Raises:
        UsageError: the folder or one of the three files is missing, or a line cannot be read.
    """
    folder = existing(folder)
    corpus = _json_lines(folder / "corpus.jsonl")
    queries = {str(line["_id"]): str(line["text"]) for line in _json_lines(folder / "queries.jsonl")}
    qrels: Qrels = {}
    rows = [row for row in fields_of(folder / "qrels" / f"{split}.tsv", 3) if row[1][0] != "query-id"]
    for number, (query, document, grade) in rows:
        if query not in queries or not grade.lstrip("-").isdigit():
            raise UsageError(f"{folder}, qrels line {number}: query {query!r} is unknown or {grade!r} is no grade")
        qrels.setdefault(query, {})[document] = int(grade)
    return Collection(
        name=folder.name,
        documents={str(line["_id"]): (str(line.get("title") or ""), str(line["text"])) for line in corpus},
        queries={query: queries[query] for query in qrels},
        qrels=qrels,
    )


def write_beir(folder: str | Path, collection: Collection, split: str = "test") -> None:
    """Write a collection in BEIR's layout; what `read_beir` reads back."""
    folder = Path(folder)
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    corpus = ({"_id": name, "title": t, "text": text} for name, (t, text) in collection.documents.items())
    queries = ({"_id": name, "text": text} for name, text in collection.queries.items())
    for file, lines in (("corpus.jsonl", corpus), ("queries.jsonl", queries)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / file).write_text(text, encoding="utf-8")
    rows = [f"{q}\t{name}\t{grade}\n" for q, grades in collection.qrels.items() for name, grade in grades.items()]
    text = "query-id\tcorpus-id\tscore\n" + "".join(rows)
    (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")


def scifact(folder: str | Path) -> Collection:
    """SciFact (Wadden et al., 2020) with the queries and judgements of BEIR (Thakur et al., 2021).

    The corpus is the CSV export whose abstracts are printed lists of sentences; the sentences are joined by blanks.

    Raises:
        UsageError: the folder or one of its files is missing or of another form.
    """
    folder = existing(folder)
    csv.field_size_limit(sys.maxsize)
    rows = csv.DictReader(io.StringIO(read_text(folder / "corpus_train.csv"), newline=""))
    documents = {}
    for row in rows:
        try:
            sentences = [ast.literal_eval(literal) for literal in _LITERAL.findall(row["abstract"])]
            documents[row["doc_id"]] = (row["title"], " ".join(sentences))
        except (KeyError, SyntaxError) as error:
            raise UsageError(
                f"{folder}/corpus_train.csv, line {rows.line_num}: no abstract in it; get it again"
            ) from error
    qrels = read_qrels(folder / "qrels.beir-v1.0.0-scifact.test.txt")
    topics = existing(folder / "topics.beir-v1.0.0-scifact.test.tsv.gz")
    with gzip.open(topics, "rt", encoding="utf-8") as file:
        pairs = [line.rstrip("\n").partition("\t") for line in file if line.strip()]
    return _checked(Collection("scifact", documents, {query: text for query, _, text in pairs}, qrels), folder)


def cranfield(folder: str | Path) -> Collection:
    """The Cranfield collection (Cleverdon, 1967): 1,400 abstracts, 225 queries, binary judgements.

    The judgements number the queries in the order of the file, 1 to 225, not by the numbers that the file gives them.

    Raises:
        UsageError: the folder or one of its files is missing or of another form.
    """
    folder = existing(folder)
    try:
        corpus = ET.fromstring(f"<all>{read_text(folder / 'cran.all.1400.xml')}</all>")  # noqa: S314 - a local file
        topics = ET.fromstring(read_text(folder / "cran.qry.xml").encode())  # noqa: S314
    except ET.ParseError as error:
        raise UsageError(f"the XML in {folder} cannot be read ({error}); get it again") from error
    documents = {}
    for entry in corpus.iter("doc"):
        title, text = (" ".join((entry.findtext(tag) or "").split()) for tag in ("title", "text"))
        documents[(entry.findtext("docno") or "").strip()] = (title, text.removeprefix(title).strip())
    texts = [" ".join((top.findtext("title") or "").split()) for top in topics.iter("top")]
    queries = {str(number): text for number, text in enumerate(texts, start=1)}
    return _checked(Collection("cranfield", documents, queries, read_qrels(folder / "cranqrel.trec.txt")), folder)


# One element of a printed list of strings: '...' or "...", with escapes.
_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)


def _checked(collection: Collection, folder: Path) -> Collection:
    """The collection, where every judged query and document is in it."""
    missing = collection.qrels.keys() - collection.queries.keys()
    missing |= {name for grades in collection.qrels.values() for name in grades} - collection.documents.keys()
    if missing:
        raise UsageError(f"{folder} judges {min(missing)!r}, which it does not hold; get the data again")
    return collection


def _json_lines(path: Path) -> list[dict[str, object]]:
    lines = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}, line {number}: {error.msg}; correct that line") from error
        if not isinstance(value, dict) or "_id" not in value or "text" not in value:
            raise UsageError(f"{path}, line {number}: no object with _id and text; correct that line")
        lines.append(value)
    return lines
