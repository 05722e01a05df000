"""Networks and data sets that do not agree in their classes."""

from types import SimpleNamespace

import pytest

from rml_mmseg.engine.checks.classes import check_classes
from tests.toys import labelled_cfg, toy_runner, toy_segmentor

CLASSES = ['road', 'sky', 'tree']


def dataset(*classes):
    return SimpleNamespace(metainfo=dict(classes=tuple(classes)))


def validation(*classes):
    return SimpleNamespace(
        dataloader=SimpleNamespace(dataset=dataset(*classes))
    )


def test_what_agrees_passes():
    model = SimpleNamespace(num_classes=3)
    check_classes(model, dataset(*CLASSES), validation(*CLASSES))
    # Unknown classes are not compared.
    check_classes(SimpleNamespace(), dataset(*CLASSES))
    check_classes(model, SimpleNamespace(), validation(*CLASSES))
    check_classes(model, dataset(*CLASSES), SimpleNamespace())


@pytest.mark.parametrize('number', [2, 4])
@pytest.mark.parametrize(
    ('more', 'part'), [({}, 'model'), (dict(students=()), 'model.segmentors')]
)
def test_another_number_is_named(number, more, part):
    model = SimpleNamespace(num_classes=number, **more)
    with pytest.raises(ValueError, match=f'of {part} is {number}, .*=3, or'):
        check_classes(model, dataset(*CLASSES))


@pytest.mark.parametrize('others', [('sky', 'road', 'tree'), ('road', 'sky')])
def test_another_order_would_be_scored_under_wrong_names(others):
    model = SimpleNamespace(num_classes=3)
    with pytest.raises(ValueError, match='would get wrong names'):
        check_classes(model, dataset(*CLASSES), validation(*others))


@pytest.mark.parametrize('classes', [2, 5])
def test_a_plain_network_in_stages_is_looked_at(tmp_path, classes):
    plain = toy_segmentor(num_classes=classes)
    plain['data_preprocessor'] = dict(type='SegDataPreProcessor')
    runner = toy_runner(
        tmp_path,
        model=plain,
        custom_hooks=[],
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            dataset=labelled_cfg(tmp_path / 'labelled'),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
    )
    with pytest.raises(ValueError, match=f'of model is {classes}'):
        runner.train()
