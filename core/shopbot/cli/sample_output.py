"""The samples that tests can name, for people and for scripts."""

import json

import typer
from rich.console import Console
from rich.table import Table

from shopbot.testing.samples import SAMPLES


def print_samples(*, as_json: bool) -> None:
    """List all samples: name, topic, what it is."""
    if as_json:
        samples = [{"name": one.name, "topic": one.topic, "summary": one.summary} for one in SAMPLES.values()]
        typer.echo(json.dumps(samples, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("sample", "topic", "what it is"):
        table.add_column(heading, overflow="fold")
    for sample in SAMPLES.values():
        table.add_row(sample.name, sample.topic, sample.summary)
    Console().print(table)
