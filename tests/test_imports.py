"""What may import what, what is exported, and what must not be loaded too early."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import index
import rag

ROOT = Path(__file__).parents[1]
ALLOWED = {"index": {"index"}, "rag": {"index", "rag"}, "eval": {"index", "rag", "eval"}, "ui": {"index", "rag", "ui"}}


def imported(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0], node


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package):
    files = list((ROOT / package).glob("**/*.py"))
    assert files
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
        for name, node in imported(tree):
            lazy_eval = file.name == "cli.py" and name == "eval" and id(node) in inside
            if name in ALLOWED and not lazy_eval:
                assert name in ALLOWED[package], f"{file.name} imports {name}"


def test_the_exported_names():
    assert set(rag.__all__) == {
        "Answer", "Assistant", "Citation", "Claim", "Evidence", "Nearest", "Note", "Piece", "PinciteError", "Reader",
        "Rejected", "Row", "Why", "open",
    }  # fmt: skip
    assert set(index.__all__) == {
        "Added", "Document", "Engine", "Hit", "Index", "Listed", "Passage", "PinciteError", "open",
    }  # fmt: skip
    assert all(hasattr(rag, name) for name in rag.__all__)
    assert all(hasattr(index, name) for name in index.__all__)


def test_nothing_heavy_is_loaded_before_it_is_needed():
    heavy = "torch transformers sentence_transformers gradio plotly ir_measures lightgbm trafilatura docx pptx openpyxl"
    heavy += " pymilvus grpc ray scipy"
    code = f"import sys, rag, ui.cli; print([m for m in {heavy.split()!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_a_search_loads_nothing_that_answers():
    code = "import sys, ui.cli, index.library; print([m for m in sys.modules if m.startswith('rag.')])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(ast.literal_eval(out.stdout)) <= {"rag.llm", "rag.models"}
    with pytest.raises(AttributeError, match="has no attribute 'oracle'"):
        rag.oracle  # noqa: B018


def test_a_process_that_only_checks_loads_only_what_checks():
    code = "import sys, index.checker; print({'numpy', 'pydantic', 'faiss', 'tantivy'} & {*sys.modules})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "set()"
    with pytest.raises(AttributeError, match="has no attribute 'oracle'"):
        index.oracle  # noqa: B018


def test_reading_a_file_loads_no_mathematics():
    code = "import sys, index.minhash; print('scipy.integrate' in sys.modules, 'scipy.special' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "False False"


def test_no_pickle_anywhere():
    for package in ALLOWED:
        for file in (ROOT / package).glob("**/*.py"):
            names = {name for name, _ in imported(ast.parse(file.read_text(encoding="utf-8")))}
            assert not names & {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}, file
