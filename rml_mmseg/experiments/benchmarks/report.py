"""Tables, targets and JSON file of one benchmark."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import torch
from prettytable import MARKDOWN, PrettyTable

from .machine import describe_machine


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every benchmark has.

    Args:
        parser (argparse.ArgumentParser): Parser to add to.
    """
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        type=torch.device,
        help='where to compute; by default a GPU where there is one',
    )
    parser.add_argument(
        '--out', type=Path, help='JSON file for the results, with the machine'
    )


def shown(value: Any) -> str:
    """Format a value for a table, floats with four digits."""
    return f'{value:.4g}' if isinstance(value, float) else str(value)


class Report:
    """Collects, prints and writes the results of one benchmark.

    Args:
        subject (str): What was measured.
        device (torch.device): Device it was measured on.
    """

    def __init__(self, subject: str, device: torch.device) -> None:
        self.device = device
        self.content: dict[str, Any] = dict(
            subject=subject,
            command=' '.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            device=str(device),
            machine=describe_machine(),
            tables={},
            targets=[],
            notes=[],
        )
        print(f'# {subject}\n')

    def note(self, text: str) -> None:
        """Print and record a remark on how it was measured."""
        self.content['notes'].append(text)
        print(f'{text}\n')

    def table(self, title: str, rows: Sequence[dict[str, Any]]) -> None:
        """Print and record a table.

        Args:
            title (str): Heading of the table.
            rows (Sequence[dict]): Values by column; all rows have the same
                columns.
        """
        self.content['tables'][title] = list(rows)
        table = PrettyTable(list(rows[0]) if rows else [])
        table.set_style(MARKDOWN)
        for row in rows:
            table.add_row([shown(value) for value in row.values()])
        print(f'{title}\n\n{table}\n')

    def target(
        self,
        what: str,
        found: float,
        at_most: Optional[float] = None,
        at_least: Optional[float] = None,
    ) -> None:
        """Compare a figure with its target; print and record the result.

        Args:
            what (str): Name of the figure.
            found (float): The figure.
            at_most (float, optional): Upper limit.
            at_least (float, optional): Lower limit.
        """
        reached = (at_most is None or found <= at_most) and (
            at_least is None or found >= at_least
        )
        self.content['targets'].append(
            dict(
                what=what,
                found=found,
                at_most=at_most,
                at_least=at_least,
                reached=reached,
            )
        )
        limit = f'at most {at_most}'
        if at_most is None:
            limit = f'at least {at_least}'
        verdict = 'reached' if reached else 'MISSED'
        print(f'{what}: {shown(float(found))} ({limit}: {verdict})\n')

    def finish(self, out: Optional[Path]) -> None:
        """Write the JSON file.

        Args:
            out (Path, optional): File to write; None for no file.
        """
        if out is None:
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content, indent=1, default=str)
        out.write_text(text + '\n', 'utf-8')
