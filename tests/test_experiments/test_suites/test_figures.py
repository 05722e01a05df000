import pytest

from rml_mmseg.experiments.suites.amounts import share_of
from rml_mmseg.experiments.suites.figures import (
    plot_curves,
    plot_gains,
    plot_ladder,
    plot_shares,
    save_figure,
)


def row(method, split, *scores, best=None):
    mean = sum(scores) / len(scores) if scores else None
    summary = {}
    if scores:
        std = 1.5 if len(scores) > 1 else None
        summary = {'mIoU': dict(mean=mean, std=std, count=len(scores))}
    return dict(
        method=method,
        title=method.upper(),
        split=split,
        summary=summary,
        best_summary={} if best is None else {'mIoU': best},
        runs=[
            dict(
                seed=seed,
                status='finished',
                scores={'mIoU': score},
                best_scores={'mIoU': score + 1},
            )
            for seed, score in enumerate(scores)
        ]
        + [dict(seed=9, status=None)],
    )


@pytest.mark.parametrize(
    ('split', 'share'),
    [
        ('1-8', 0.125),
        ('1-30', 1 / 30),
        ('full', 1.0),
        ('x', None),
        ('', None),
        ('6', None),
    ],
)
def test_share_of(split, share):
    assert share_of(split) == share


def test_shares_have_a_line_a_method_with_its_deviation():
    rows = [
        row('a', '1-4', 42.0, 44.0),
        row('a', '1-8', 40.0),
        row('b', '1-8'),
        row('c', '1-8', 39.0),
        row('a', 'full', 50.0),
        row('c', 'full', 60.0),
    ]
    axes = plot_shares(rows, ceiling='a').axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {'A', 'C', 'A, all labels'}
    assert lines['A'].get_xydata().tolist() == [[0.125, 40], [0.25, 43]]
    assert list(lines['A, all labels'].get_ydata()) == [50, 50]
    band = axes.collections[0].get_paths()[0].vertices
    at_a_quarter = sorted(set(band[band[:, 0] == 0.25][:, 1].tolist()))
    assert at_a_quarter == [41.5, 44.5]
    assert [t.get_text() for t in axes.get_xticklabels()] == ['1/4', '1/8']
    # The one without scores keeps its colour for other figures.
    assert lines['C'].get_color() == '#2ca25f'


def test_whole_numbers_are_counts_of_images():
    rows = [row('a', '6', 40.0), row('a', '1', 30.0), row('a', 'full', 50.0)]
    axes = plot_shares(rows, ceiling='a').axes[0]
    assert axes.get_xlabel() == 'Labelled images'
    line = {line.get_label(): line for line in axes.lines}['A']
    assert line.get_xydata().tolist() == [[1, 30], [6, 40]]


def test_names_that_say_no_amount_are_refused():
    rows = [row('a', 'x', 40.0), row('a', 'full', 40.0)]
    with pytest.raises(ValueError, match=r"such as 22, got \['x', 'full'\]"):
        plot_shares(rows)


def test_gains_have_one_scale_with_labels_inside():
    splits = ('1-30', '1-8', '1-4', '1-2')
    rows = [row('base', split, 40.0) for split in splits]
    rows += [row('a' * 30, s, 40.0 + 9 * i) for i, s in enumerate(splits)]
    rows += [row('b', split, 28.0) for split in splits]
    figure = plot_gains(rows, 'base')
    figure.draw_without_rendering()
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    for axes in figure.axes:
        frame = axes.get_window_extent()
        for text in axes.texts:
            box = text.get_window_extent()
            assert frame.x0 < box.x0 and box.x1 < frame.x1


def test_panels_are_in_the_order_of_the_suite():
    rows = [row('base', split, 40.0) for split in ('1-30', '1-8', '1-4')]
    rows += [row('a', '1-4', 41.0), row('b', '1-30', 41.0)]
    figure = plot_gains(rows, 'base')
    assert [axes.get_title() for axes in figure.axes] == ['1/30', '1/4']


def test_long_names_are_wrapped():
    name = 'robust mutual learning in two stages with labels online'
    rows = [row(name, '1-8', 40.0), row('base', '1-8', 39.0)]
    wrapped = 'ROBUST MUTUAL LEARNING IN TWO\nSTAGES WITH LABELS ONLINE'
    for figure in (plot_ladder(rows), plot_gains(rows, 'base')):
        labels = figure.axes[0].get_yticklabels()
        assert labels[0].get_text() == wrapped
    curves = plot_curves({name.upper(): [{1: 0.5}]}, 'share')
    for figure in (plot_shares(rows), curves):
        assert figure.axes[0].lines[0].get_label() == wrapped


def test_titles_are_no_formulas(tmp_path):
    title = r'$\lost$'
    rows = [
        dict(row(name, split, 40.0), title=name + title)
        for name in ('a', 'b')
        for split in ('1-8', '1-4')
    ]
    figures = (
        plot_shares(rows),
        plot_ladder(rows[::2]),
        plot_gains(rows, 'a'),
        plot_curves({title: [{1: 0.5}]}, 'share'),
    )
    for i, figure in enumerate(figures):
        save_figure(figure, tmp_path / f'{i}.svg')
    assert len(list(tmp_path.iterdir())) == 4


def test_shares_of_the_best_checkpoints():
    best = dict(mean=47.0, std=None, count=1)
    axes = plot_shares([row('a', '1-8', 1.0, best=best)], 'best_summary')
    assert list(axes.axes[0].lines[0].get_ydata()) == [47]


@pytest.mark.parametrize(
    ('scores', 'more'), [('scores', 0), ('best_scores', 1)]
)
def test_ladder_shows_means_seeds_and_deviations(scores, more):
    rows = [row('a', '', 40.0, 44.0), row('b', ''), row('c', '', 41.0)]
    axes = plot_ladder(rows, scores).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ['A', 'C']
    assert list(axes.lines[0].get_xdata()) == [40 + more, 44 + more]
    bar = axes.containers[0].lines[2][0].get_segments()[0]
    # The mean is 42, the variance (4 + 4) / 1.
    assert bar[:, 0].tolist() == pytest.approx(
        [42 + more - 8**0.5, 42 + more + 8**0.5]
    )
    assert [text.get_text() for text in axes.texts] == [
        f'{42 + more}.0',
        f'{41 + more}.0 (1)',
    ]


def test_curves_are_means_over_what_all_seeds_have():
    curves = {'B': [{50: 1.0, 100: 2.0, 150: 9.0}, {50: 2.0, 100: 5.0}]}
    axes = plot_curves(curves, 'share', titles=['A', 'B']).axes[0]
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[50, 1.5], [100, 3.5]]
    assert line.get_color() == '#e8710a'
    band = axes.collections[0].get_paths()[0].vertices
    assert set(band[band[:, 0] == 100][:, 1].tolist()) == {2.0, 5.0}
    assert axes.get_ylabel() == 'share'


def test_many_methods_stay_apart():
    names = [f'm{number}' for number in range(20)]
    rows = [row(name, '1-8', 40.0) for name in names]
    curves = {name: [{1: 0.5}] for name in names}
    for figure in (plot_shares(rows), plot_curves(curves, 'share')):
        lines = figure.axes[0].get_lines()
        styles = {
            (line.get_color(), line.get_marker(), line.get_linestyle())
            for line in lines
        }
        assert len(styles) == len(lines) == 20
    orders = [line.get_zorder() for line in lines]
    assert orders == sorted(orders, reverse=True)


@pytest.mark.parametrize('suffix', ['png', 'svg'])
def test_the_same_figure_gives_the_same_file(tmp_path, suffix):
    files = [tmp_path / str(i) / f'a.{suffix}' for i in range(2)]
    for path in files:
        save_figure(plot_ladder([row('$a_b', '', 40.0)]), path)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(files[0].read_bytes()) > 1000


def test_gains_are_of_the_same_seed():
    rows = [
        row('base', '1-8', 40.0, 44.0),
        row('base', '1-4', 46.0),
        row('base', 'full'),
        row('a', '1-8', 42.0, 45.0),
        row('b', '1-8', 39.0),
        row('b', '1-4', 47.0, 50.0),
        row('a', 'full', 50.0),
    ]
    figure = plot_gains(rows, 'base')
    assert [axes.get_title() for axes in figure.axes] == ['1/8', '1/4']
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ['A', 'B']
    eighth, quarter = (
        {
            tuple(line.get_xdata()): set(line.get_ydata())
            for line in axes.lines
            if line.get_marker() == 'o' and line.get_mfc() == 'none'
        }
        for axes in figure.axes
    )
    assert eighth == {(2.0, 1.0): {0}, (-1.0,): {1}}
    assert quarter == {(1.0,): {1}}
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ['+1.5', '\N{MINUS SIGN}1.0 (1)']


def test_no_gains_without_a_baseline():
    rows = [row('a', '1-8', 42.0)]
    assert plot_gains(rows, None) is None
    assert plot_gains(rows, 'a') is None
