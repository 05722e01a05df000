import pytest
from mmengine.config import Config

from rml_mmseg.run_length import LONG_RUN
from rml_mmseg.semi_config.compose import SemiPlan, compose
from rml_mmseg.semi_config.data import SemiData
from rml_mmseg.semi_config.supervised import compose_supervised
from tests.toys import toy_segmentor


def toy_stock():
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]
    data = dict(type='BaseSegDataset', pipeline=pipeline)
    stock = Config(
        dict(
            model=dict(
                toy_segmentor(),
                data_preprocessor=dict(type='SegDataPreProcessor'),
            ),
            train_dataloader=dict(batch_size=2, dataset=data),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=10),
        )
    )
    return stock, SemiData(data, dict(type='UnlabelledSegDataset'))


@pytest.mark.parametrize('place', [0, 1])
def test_edges_that_a_network_learns_are_made(place):
    stock, semi = toy_stock()
    other = Config(stock.to_dict())
    edges = dict(type='GenerateEdge', edge_width=4)
    steps = other.train_dataloader.dataset.pipeline
    steps.insert(len(steps) - 1, edges)
    stocks = [stock, other] if place else [other, stock]
    config, _ = compose(stocks, semi, SemiPlan(2, 10, 1, 0))
    dataset = config['train_dataloader']['dataset']
    *_, last, pack = dataset['labelled']['pipeline']
    assert last == edges
    assert pack['type'] == 'PackSegInputs'
    ways = [step['type'] for step in dataset['unlabelled']['pipeline']]
    assert 'GenerateEdge' not in ways
    alone, _ = compose_supervised(other, semi, SemiPlan(1, 10, 1, 0))
    assert alone['train_dataloader']['dataset'] == dataset['labelled']


@pytest.mark.parametrize(
    ('iters', 'prototypes', 'teachers'),
    [(LONG_RUN - 1, 0.95, 0.99), (LONG_RUN, 0.9999, 0.999)],
)
def test_teachers_and_prototypes_of_a_short_run_follow_faster(
    iters, prototypes, teachers
):
    stock, semi = toy_stock()
    config, _ = compose([stock], semi, SemiPlan(2, iters, 1, 0))
    rectifier = config['model']['rectifier']
    assert rectifier['momentum'] == prototypes
    # In long ones as in the paper.
    assert rectifier.get('alignment') == (4.0 if iters < LONG_RUN else None)
    (hook,) = config['custom_hooks']
    assert hook['type'] == 'MutualEMAHook'
    assert hook['momentum'] == teachers
