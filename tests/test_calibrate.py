"""The threshold of the support score is chosen on pairs of claims and evidence, by a command."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from eval.calibrate import STEPS, TARGET, WEIGHTS, Judged, accepted, calibrate, judge, read
from index.errors import UsageError
from rag.claims import calibrated

ROOT = Path(__file__).parents[1]
TRUE = "The school of Ostwick trained eleven reporters in the spring."
FALSE = "The school of Ostwick trained eleven sailors in the spring."


def write_sets(folder):
    """Each train set in its own form, with one pair that is entailed and one that is not."""
    (folder / "nli").mkdir()
    for name in ("mnli_dev", "snli_dev", "rte_dev", "rte_train", "scitail_dev"):
        with (folder / "nli" / f"nli_datasets_{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["premise", "hypothesis", "label"])
            rows.writerow([TRUE, TRUE, "entailment"])
            rows.writerow([TRUE, FALSE, "contradiction" if "nli" in name else "not_entailment"])
    (folder / "conjnli").mkdir()
    lines = ["Premise\tHypothesis\tLabel", f"{TRUE}\t{TRUE}\tentailment", f"{TRUE}\t{FALSE}\tneutral"]
    path = folder / "conjnli" / "data_NLI_adversarial_train_15k.tsv"
    path.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    (folder / "foolmetwice").mkdir()
    for part in ("dev", "test"):
        records = [
            {"text": text, "gold_evidence": [{"text": TRUE}, {"text": "It was warm."}], "label": label}
            for text, label in ((TRUE, "SUPPORTS"), (FALSE, "REFUTES"))
        ]
        (folder / "foolmetwice" / f"{part}.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")


def test_the_threshold_is_the_least_that_keeps_what_is_not_entailed_out(tmp_path):
    write_sets(tmp_path)
    sets = read(tmp_path)
    assert {name: len(pairs) for name, pairs in sets.items()} == {
        "MNLI": 2, "SNLI": 2, "RTE": 4, "SciTail": 2, "ConjNLI": 2, "FoolMeTwice": 4,
    }  # fmt: skip
    assert sum(pair.entailed for pairs in sets.values() for pair in pairs) == 8
    made = calibrate({name: judge(pairs) for name, pairs in sets.items()})
    assert made["threshold"] == 0.85  # five of six content words stand there: 0.83
    assert made["precision_by_threshold"]["0.8"] == 0.5
    assert made["precision_by_threshold"]["0.85"] == 1.0
    assert made["sets"]["RTE"] == {"pairs": 4, "entailed": 2, "accepted": 2, "precision": 1.0, "recall": 1.0}


def test_what_the_other_checks_stop_is_not_accepted():
    stopped, kept = Judged(False, 1.0, False), Judged(True, 0.9, True)
    assert accepted([stopped, kept], 0.9) == (1, 1)
    assert accepted([stopped, kept], 0.95) == (0, 0)


def test_where_no_threshold_is_good_enough_none_is_chosen():
    with pytest.raises(UsageError, match="no threshold"):
        calibrate({"x": [Judged(True, 1.0, False)]})


def test_the_command_writes_the_file_and_names_what_is_missing(tmp_path):
    write_sets(tmp_path)
    command = [sys.executable, "-m", "eval.calibrate", "--data", tmp_path, "--out", tmp_path / "support.json"]
    subprocess.run(command, check=True, cwd=ROOT)
    assert json.loads((tmp_path / "support.json").read_text())["threshold"] == 0.85
    (tmp_path / "foolmetwice" / "dev.jsonl").unlink()
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "dev.jsonl is missing" in done.stderr


def test_the_threshold_in_use_is_what_was_measured():
    made = json.loads(WEIGHTS.read_text())
    assert made["target"] == TARGET
    assert calibrated() == made["threshold"]
    reached = [step for step in STEPS if made["precision_by_threshold"][str(step)] >= TARGET]
    assert made["threshold"] == min(reached)
