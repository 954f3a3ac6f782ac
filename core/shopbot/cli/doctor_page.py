"""How `shopbot doctor` shows its report to people: by area, what is fine in one line, what is not with what to do."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from shopbot.doctor.report import Report
from shopbot.model.finding import Finding, Level

_SIGNS = {Level.OK: "✓", Level.WARNING: "!", Level.PROBLEM: "✗"}
_PLAIN_SIGNS = {Level.OK: "+", Level.WARNING: "!", Level.PROBLEM: "x"}
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_NAMES = {Level.PROBLEM: "problem", Level.WARNING: "warning"}
_WIDEST = 110
"""Longer lines are hard to read, however wide the terminal is."""


class ReportPage:
    """A report for one kind of terminal."""

    def __init__(self, *, plain: bool) -> None:
        """Prepare.

        plain: whether the terminal knows ASCII alone.
        """
        self._signs = _PLAIN_SIGNS if plain else _SIGNS
        self._arrow = "->" if plain else "→"
        self._dash = "-" if plain else "─"

    def render(self, report: Report, title: Text) -> Group:
        """Put the page together."""
        parts: list[object] = [title]
        for area, findings in report.areas.items():
            parts += [Text(), self._heading(area, findings), Padding(self._findings(findings), (0, 0, 0, 2))]
        parts += [Text(), Rule(characters=self._dash, style="dim"), self._summary(report)]
        return Group(*parts)  # type: ignore[arg-type]  # what rich can print has no common type

    def _heading(self, area: str, findings: Sequence[Finding]) -> Text:
        worst = max((finding.level for finding in findings), key=list(Level).index)
        place, _, name = area.rpartition(":")
        style = "bold" if worst is Level.OK else f"bold {_COLOURS[worst]}"
        return Text.assemble((name, style), (f"  {place}" if place else "", "dim"))

    def _findings(self, findings: Sequence[Finding]) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1, no_wrap=True)
        table.add_column(overflow="fold")
        worst_first = sorted(findings, key=lambda one: -list(Level).index(one.level))
        # What means the same and asks for the same is explained once.
        for (level, meaning, to_do), alike in groupby(worst_first, lambda one: (one.level, one.meaning, one.to_do)):
            sign = Text(self._signs[level], style=_COLOURS[level])
            for finding in alike:
                table.add_row(sign, Text(finding.what, style="" if level is Level.OK else "bold"))
            if meaning:
                table.add_row("", Text(meaning, style="dim"))
            if to_do:
                table.add_row("", self._to_do(to_do))
        return table

    def _to_do(self, text: str) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=len(self._arrow), no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(Text(self._arrow, style="cyan"), Text(text, style="cyan"))
        return table

    def _summary(self, report: Report) -> Text:
        summary = Text()
        for level in (Level.PROBLEM, Level.WARNING):
            count = report.count(level)
            if count:
                areas = ", ".join(
                    area.rpartition(":")[2]
                    for area, findings in report.areas.items()
                    if any(finding.level is level for finding in findings)
                )
                words = f"{count} {_NAMES[level]}{'' if count == 1 else 's'}"
                summary.append(f"{self._signs[level]} {words}", style=f"bold {_COLOURS[level]}")
                summary.append(f"  {areas}\n", style="dim")
        summary.append(f"{self._signs[Level.OK]} {report.count(Level.OK)} fine", style="green")
        return summary


def print_report(report: Report, console: Console, *, title: str) -> None:
    """Print the page."""
    plain = not console.encoding.lower().startswith("utf")
    page = ReportPage(plain=plain).render(report, Text.assemble(("shopbot doctor", "bold"), (f"  {title}", "dim")))
    console.print(page, width=min(console.width, _WIDEST), highlight=False)
