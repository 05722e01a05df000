"""Plots of the report."""

from rml_mmseg.experiments.report.figures import plot_classes


def test_classes_of_all_runs_are_drawn():
    plot = plot_classes(
        {'a': dict(road=50.0), 'b': dict(road=60.0, pole=20.0)}, 'IoU'
    )
    assert '>road<' in plot
    assert '>pole<' in plot
