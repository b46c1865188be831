"""The compiled encoder against the real sentence-transformers model."""

import warnings

import numpy as np
import pytest

from index.encode import Encoder, default_model
from index.errors import EncoderError
from index.library import Index
from index.models import Span

TEXTS = [
    "The foundation awarded $250,000 to the institute for training.",
    "Who received grants in 2021?",
    "Фонд выделил гранты.",
    "Short. " * 30,
    "",
]


def test_it_agrees_with_sentence_transformers(encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer

        reference = SentenceTransformer(str(default_model()), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert np.allclose((encoder.encode(TEXTS) * reference).sum(axis=1), 1, atol=1e-5)


def test_two_indexes_of_one_process_share_an_encoder(encoder, tmp_path):
    with Index(tmp_path / "a.index") as one, Index(tmp_path / "b.index") as other:
        assert one.encoder is other.encoder is encoder


def test_rows_are_unit_and_do_not_depend_on_the_batch(encoder):
    together = encoder.encode(TEXTS)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together[1], encoder.encode([TEXTS[1]])[0], atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_nothing_is_cut_off_a_long_text(encoder):
    filler = "Nothing of interest happened on that day in the village. " * 60
    end = "The grant went to the observatory on the hill."
    without, with_end = encoder.encode([filler, filler + end])
    assert with_end @ encoder.encode([end])[0] > without @ encoder.encode([end])[0] + 0.005


def test_a_sentence_reads_as_it_stands_in_its_text(encoder):
    text = "The Larkfield Foundation gave money in 2021. The institute received it."
    second = Span(45, len(text))
    _, (inner,) = encoder.encode_spans([text], [[Span(0, 44), second]])
    assert inner.shape == (2, encoder.dim)
    assert np.allclose(np.linalg.norm(inner, axis=1), 1, atol=1e-5)
    asked, alone = encoder.encode(["Larkfield Foundation money", text[second.start :]])
    assert inner[1] @ asked > alone @ asked + 0.1


def test_a_folder_without_a_model_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(EncoderError, match=r"name a sentence-transformers folder with model\.safetensors"):
        Encoder(tmp_path)


def test_a_model_of_another_name_is_opened_by_its_folder(tmp_path, encoder):
    (tmp_path / "mine").symlink_to(default_model())
    other = Encoder(tmp_path / "mine")
    assert other.id == encoder.id.replace("all-MiniLM-L6-v2", "mine")
    assert other.dim == encoder.dim
    assert np.array_equal(other.encode(TEXTS[:2]), encoder.encode(TEXTS[:2]))


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("modules.json", '[{"type": "sentence_transformers.models.Dense"}]', r"has a layer .*Dense, which"),
        ("1_Pooling/config.json", '{"pooling_mode_mean_tokens": false}', "does not take the mean of its tokens"),
        ("1_Pooling/config.json", '{"pooling_mode": "cls"}', "does not take the mean of its tokens"),
        ("config.json", "{", "does not say what it is"),
    ],
)
def test_a_model_that_is_run_otherwise_is_refused(tmp_path, file, content, why):
    for name in ("model.safetensors", "tokenizer.json", "config.json", file):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / file).write_text(content)
    with pytest.raises(EncoderError, match=why):
        Encoder(tmp_path)
