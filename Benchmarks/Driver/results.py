"""Figures, their goals, and the table."""

import dataclasses
import statistics


@dataclasses.dataclass
class Line:
    """One figure: the samples of one run, beside those of what it is compared with.

    The goal is on the ratio to the other's median where there is another, else on the median.
    """

    name: str
    unit: str
    ours: list
    other: str = ""
    others: list = dataclasses.field(default_factory=list)
    at_most: float = None
    at_least: float = None

    @property
    def ratio(self):
        other = statistics.median(self.others) if self.others else 0
        return statistics.median(self.ours) / other if other else None

    @property
    def goal(self):
        sign = " ×" if self.other else f" {self.unit}"
        if self.at_most is not None:
            return f"at most {number(self.at_most)}{sign}"
        if self.at_least is not None:
            return f"at least {number(self.at_least)}{sign}"
        return ""

    @property
    def verdict(self):
        if not self.goal:
            return ""
        figure = self.ratio if self.other else statistics.median(self.ours)
        if figure is None:
            return "not measured"
        if self.at_most is not None:
            is_met, off = figure <= self.at_most, figure - self.at_most
        else:
            is_met, off = figure >= self.at_least, self.at_least - figure
        # A goal of 0 has no share to be off by.
        share = f" by {100 * off / (self.at_most or self.at_least):.0f} %" if (
            self.at_most or self.at_least) else ""
        return "met" if is_met else f"**missed{share}**"

    def cells(self):
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ×"
        return [self.name, self.unit, spread(self.ours), self.other, spread(self.others), ratio,
                self.goal, self.verdict]


HEADINGS = ["what", "unit", "execstream", "compared with", "that one", "ratio", "goal", "verdict"]


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(samples):
    """The median, and from the least to the most."""
    if not samples:
        return ""
    low, high = number(min(samples)), number(max(samples))
    middle = number(statistics.median(samples))
    return middle if low == high else f"{middle} ({low}–{high})"


def table(lines):
    rows = [HEADINGS, ["---"] * len(HEADINGS)] + [line.cells() for line in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def document(results, facts):
    """RESULTS.md: the facts of the machine, and a table for each benchmark."""
    parts = [
        "# Results",
        "Written by `Scripts/bench` in one run on one machine; [NOTES.md](NOTES.md) says how each"
        " figure is taken. A figure is the median of its samples, with the least and the most. A"
        " ratio is one median by the other; a goal of × is on the ratio.",
        table_of_facts(facts),
    ]
    for name, lines in results.items():
        parts += [f"## {name}", table(lines).rstrip()]
    return "\n\n".join(parts) + "\n"


def table_of_facts(facts):
    return "\n".join(["| | |", "| --- | --- |"] + [f"| {key} | {value} |" for key, value in facts])
