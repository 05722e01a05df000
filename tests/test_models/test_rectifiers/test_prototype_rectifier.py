import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.registry import MODELS
from torch import multiprocessing

from rml_mmseg.models import PrototypeRectifier
from rml_mmseg.models.utils import prototype_weights, rectify

_LAW = settings(deadline=None, max_examples=30)
FEATURES = torch.tensor([[[[1.0, 3.0, 10.0, 99.0]]]])
LABELS = torch.tensor([[[0, 0, 1, 255]]])


def _rectifier(**kwargs):
    return PrototypeRectifier(**{'num_classes': 3, 'channels': 1, **kwargs})


def _batch(seed, n=2, channels=4, classes=3):
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(n, channels, 3, 5, generator=draw)
    labels = torch.randint(classes + 1, (n, 3, 5), generator=draw)
    return features, labels.masked_fill(labels == classes, 255)


class TestUpdate:
    def test_first_sight_sets_then_momentum_moves(self):
        rectifier = _rectifier(momentum=0.75)
        rectifier.update(FEATURES, LABELS)
        assert rectifier.prototypes.flatten().tolist() == [2.0, 10.0, 0.0]
        assert rectifier.counts.tolist() == [2, 1, 0]
        assert rectifier.initialised.tolist() == [True, True, False]
        rectifier.update(
            torch.tensor([[[[6.0, 7.0]]]]), torch.tensor([[[0, 2]]])
        )
        # 0.75 * 2 + 0.25 * 6; class absent; class seen first.
        assert rectifier.prototypes.flatten().tolist() == [3.0, 10.0, 7.0]
        assert rectifier.counts.tolist() == [3, 1, 1]

    def test_momentum_of_the_paper_by_default(self):
        rectifier = _rectifier()
        rectifier.update(FEATURES, LABELS)
        rectifier.update(torch.tensor([[[[4.0]]]]), torch.tensor([[[0]]]))
        assert float(rectifier.prototypes[0]) == pytest.approx(
            0.9999 * 2 + 0.0001 * 4, abs=1e-6
        )

    @_LAW
    @given(seed=st.integers(0, 2**16))
    def test_two_accumulated_halves_are_the_whole(self, seed):
        features, labels = _batch(seed, n=4)
        whole, halves = (
            _rectifier(channels=4, momentum=0.5) for _ in range(2)
        )
        for rectifier in (whole, halves):
            rectifier.update(*_batch(seed + 1))
        whole.update(features, labels)
        halves.accumulate(features[:1], labels[:1])
        halves.update(features[1:], labels[1:])
        torch.testing.assert_close(whole.prototypes, halves.prototypes)
        assert torch.equal(whole.counts, halves.counts)

    @pytest.mark.parametrize('poison', [1e30, float('nan'), float('inf')])
    def test_ignored_pixels_move_nothing(self, poison):
        features, labels = _batch(0)
        poisoned = features.masked_fill((labels == 255)[:, None], poison)
        assert (labels == 255).any()
        a, b = _rectifier(channels=4), _rectifier(channels=4)
        for _ in range(2):
            a.update(features, labels)
            b.update(poisoned, labels)
        assert torch.equal(a.prototypes, b.prototypes)
        assert torch.equal(a.counts, b.counts)

    @pytest.mark.parametrize('method', ['update', 'initialise'])
    @pytest.mark.parametrize('poison', [float('nan'), float('inf')])
    def test_feature_that_is_not_finite_poisons_no_prototype(
        self, method, poison
    ):
        rectifier = _rectifier(momentum=0.5)
        rectifier.update(FEATURES, LABELS)
        features = torch.tensor([[[[poison, 4.0]]]])
        rectifier.accumulate(features, torch.tensor([[[0, 2]]]))
        getattr(rectifier, method)()
        assert rectifier.prototypes.isfinite().all()
        assert rectifier.prototypes[:2].flatten().tolist() == [2.0, 10.0]
        rectifier.update(FEATURES, LABELS)
        assert rectifier.prototypes.isfinite().all()

    def test_nothing_accumulated_or_nothing_labelled_moves_nothing(self):
        rectifier = _rectifier(momentum=0.0)
        rectifier.update(FEATURES, LABELS)
        before = rectifier.prototypes.clone()
        rectifier.update()
        rectifier.update(FEATURES * 2, torch.full_like(LABELS, 255))
        assert torch.equal(rectifier.prototypes, before)

    def test_features_without_labels_are_an_error(self):
        with pytest.raises(ValueError, match='features and labels.*neither'):
            _rectifier().update(FEATURES)
        with pytest.raises(ValueError, match='features and labels.*neither'):
            _rectifier().update(labels=LABELS)

    def test_discarded_batch_moves_nothing(self):
        rectifier = _rectifier(momentum=0.0)
        rectifier.accumulate(FEATURES, LABELS)
        rectifier.discard()
        rectifier.update()
        assert not rectifier.initialised.any()

    def test_after_forgetting_the_next_batch_makes_the_prototypes(self):
        rectifier = _rectifier(momentum=0.9)
        rectifier.update(FEATURES + 7, LABELS)
        rectifier.accumulate(FEATURES + 5, LABELS)
        rectifier.forget()
        assert not rectifier.initialised.any()
        rectifier.update(FEATURES, LABELS)
        anew = _rectifier(momentum=0.9)
        anew.update(FEATURES, LABELS)
        known = anew.initialised
        assert torch.equal(rectifier.counts, anew.counts)
        assert torch.equal(rectifier.prototypes[known], anew.prototypes[known])

    @pytest.mark.parametrize('method', ['update', 'initialise'])
    def test_too_few_pixels_move_nothing(self, method):
        rectifier = _rectifier(min_pixels=2)
        rectifier.accumulate(FEATURES, LABELS)
        getattr(rectifier, method)()
        assert rectifier.counts.tolist() == [2, 0, 0]
        assert rectifier.prototypes.flatten().tolist() == [2, 0, 0]

    def test_another_ignore_index(self):
        rectifier = _rectifier(ignore_index=1)
        rectifier.update(FEATURES, LABELS)
        assert rectifier.counts.tolist() == [2, 0, 0]

    def test_no_gradient_is_kept(self):
        features = FEATURES.clone().requires_grad_()
        rectifier = _rectifier()
        rectifier.update(features, LABELS)
        assert not rectifier.prototypes.requires_grad

    def test_counts_stay_exact_beyond_float32(self):
        rectifier = _rectifier()
        rectifier.counts.fill_(2**24)
        rectifier.update(FEATURES, LABELS)
        assert rectifier.counts.tolist() == [2**24 + 2, 2**24 + 1, 2**24]


class TestInitialise:
    def test_is_the_mean_whatever_the_momentum(self):
        rectifier = _rectifier(momentum=1.0)
        rectifier.prototypes.fill_(-5.0)
        rectifier.counts.fill_(4)
        rectifier.accumulate(FEATURES, LABELS)
        rectifier.accumulate(torch.tensor([[[[11.0]]]]), torch.tensor([[[0]]]))
        rectifier.initialise()
        # (1 + 3 + 11) / 3; the only pixel; the previous prototype.
        assert rectifier.prototypes.flatten().tolist() == [5.0, 10.0, -5.0]
        assert rectifier.counts.tolist() == [3, 1, 4]

    def test_what_was_accumulated_is_used_once(self):
        rectifier = _rectifier(momentum=0.0)
        rectifier.accumulate(FEATURES, LABELS)
        rectifier.initialise()
        rectifier.prototypes.fill_(7.0)
        rectifier.update()
        assert rectifier.prototypes.eq(7.0).all()


class TestForward:
    def test_weights_are_those_of_equation_9(self):
        rectifier = _rectifier(temperature=2.0)
        rectifier.update(FEATURES, LABELS)
        features = torch.tensor([[[[4.0, 9.0]]]])
        weights = rectifier.weights(features)
        known = torch.tensor([[-2.0 * 2, -2.0 * 6], [-2.0 * 7, -2.0 * 1]])
        odds = known.exp()
        odds = torch.cat([odds, odds.mean(1, keepdim=True)], 1)
        expected = odds / odds.sum(1, keepdim=True)
        torch.testing.assert_close(weights[0, :, 0].t(), expected)

    def test_labels_are_those_of_equation_6(self):
        features, labels = _batch(3)
        rectifier = _rectifier(channels=4)
        rectifier.update(features, labels)
        probs = torch.rand(2, 3, 6, 10)
        weights = prototype_weights(features, rectifier.prototypes)
        assert torch.equal(rectifier(probs, features), rectify(probs, weights))

    def test_prototypes_can_overrule_the_network(self):
        rectifier = _rectifier(num_classes=2)
        rectifier.update(
            torch.tensor([[[[0.0, 10.0]]]]), torch.tensor([[[0, 1]]])
        )
        probs = torch.tensor([0.4, 0.6]).view(1, 2, 1, 1)
        assert int(rectifier(probs, torch.full((1, 1, 1, 1), 0.5))) == 0
        assert int(rectifier(probs, torch.full((1, 1, 1, 1), 5.0))) == 1

    def test_without_prototypes_the_network_decides(self):
        probs = torch.rand(2, 3, 6, 10)
        features = torch.randn(2, 1, 3, 5)
        assert torch.equal(_rectifier()(probs, features), probs.argmax(1))


class TestState:
    def test_checkpoint_brings_prototypes_back(self):
        a, b = _rectifier(), _rectifier()
        a.update(FEATURES, LABELS)
        assert set(a.state_dict()) == {'prototypes', 'counts'}
        b.load_state_dict(a.state_dict())
        assert torch.equal(b.prototypes, a.prototypes)
        assert b.initialised.tolist() == [True, True, False]

    def test_nothing_is_learnt_by_gradients(self):
        assert list(_rectifier().parameters()) == []

    def test_registry_and_repr(self):
        built = MODELS.build(
            dict(type='PrototypeRectifier', num_classes=3, channels=2)
        )
        assert 'num_classes=3, channels=2, momentum=0.9999' in repr(built)

    @pytest.mark.parametrize(
        ('setting', 'value'),
        [
            ('momentum', -0.1),
            ('momentum', 1.1),
            ('momentum', '0.99'),
            ('temperature', 0.0),
            ('temperature', '1'),
            ('min_pixels', -5),
            ('min_pixels', '4'),
            ('alignment', -1.0),
            ('alignment', '1'),
        ],
    )
    def test_setting_out_of_range_is_an_error(self, setting, value):
        with pytest.raises(ValueError, match=f'rectifier.{setting}.*{value}'):
            _rectifier(**{setting: value})


def _work(rank, folder):
    """Two updates of one of two processes, of its half of the batches."""
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    rectifier = _rectifier(channels=4, momentum=0.5, alignment=1.0)
    for seed in range(3):
        features, labels = _batch(seed, n=4)
        mine = slice(2 * rank, 2 * rank + 2)
        rectifier(features[mine, :3].softmax(1), features[mine])
        rectifier.update(features[mine], labels[mine])
    torch.save(rectifier.state_dict(), f'{folder}/{rank}.pth')
    dist.destroy_process_group()


def test_two_processes_hold_the_prototypes_of_the_union(tmp_path):
    multiprocessing.start_processes(
        _work, args=(str(tmp_path),), nprocs=2, start_method='fork'
    )
    states = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    alone = _rectifier(channels=4, momentum=0.5, alignment=1.0)
    for seed in range(3):
        features, labels = _batch(seed, n=4)
        alone(features[:, :3].softmax(1), features)
        alone.update(features, labels)
    for key, value in alone.state_dict().items():
        assert torch.equal(states[0][key], states[1][key])
        torch.testing.assert_close(states[0][key], value)
    assert states[0]['counts'].sum() > 60


def test_labels_of_a_network_that_learns():
    """As in a user's training loop, where probabilities need gradients."""
    unit = PrototypeRectifier(num_classes=3, channels=2, momentum=0.5)
    features = torch.randn(1, 2, 4, 4, requires_grad=True)
    weight = torch.randn(3, 2, requires_grad=True)
    logits = torch.einsum('kc,nchw->nkhw', weight, features)
    labels = unit(logits.softmax(1), features)
    unit.update(features, logits.argmax(1))
    assert torch.equal(labels, logits.argmax(1))
    assert not labels.requires_grad and not unit.prototypes.requires_grad


@pytest.mark.parametrize(
    ('probs', 'features', 'message'),
    [
        ((1, 2, 4, 4), (1, 1, 2, 2), r'probs must be \(N, 3, .*num_classes=3'),
        ((1, 3, 4, 4), (1, 2, 2, 2), r'features must be \(N, 1, .*channels=1'),
        ((3, 4, 4), (1, 1, 2, 2), r'got \(3, 4, 4\)'),
    ],
)
def test_tensors_of_other_classes_or_channels(probs, features, message):
    with pytest.raises(ValueError, match=message):
        _rectifier()(torch.ones(probs) / 3, torch.ones(features))


@pytest.mark.parametrize('value', [-1.0, 3.0])
def test_logits_in_the_place_of_probabilities(value):
    logits = torch.full((1, 3, 4, 4), value)
    with pytest.raises(ValueError, match=r'such as logits.softmax\(1\)'):
        _rectifier()(logits, torch.ones(1, 1, 2, 2))
