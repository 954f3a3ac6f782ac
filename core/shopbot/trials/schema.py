"""The JSON schema of test files, for editors."""

from typing import Any

from shopbot.host.schema import DIALECT
from shopbot.testing.samples import SAMPLES
from shopbot.trials.settings import TrialFile


def build_trial_schema() -> dict[str, Any]:
    """Describe every key of a test file, and the samples that there are."""
    schema: dict[str, Any] = {"$schema": DIALECT, **TrialFile.model_json_schema(), "title": "shopbot.test.yaml"}
    names = [{"const": name, "description": sample.summary} for name, sample in SAMPLES.items()]
    for happening in ("Happening", "EarlierHappening"):
        sample = schema["$defs"][happening]["properties"]["sample"]
        sample["anyOf"] = [*names, {"type": "null"}]
    return schema
