import pytest

from rml_mmseg.semi_config.options import fit_options


def semi(learners, rectifier=None):
    return dict(model=dict(segmentors=[{}] * learners, rectifier=rectifier))


CONFIGS = dict(
    supervised=dict(model={}),
    fixmatch=semi(1),
    cps=semi(2),
    rml=semi(2, dict(type='PrototypeRectifier')),
)


@pytest.mark.parametrize(
    ('key', 'plain', 'others'),
    [
        (
            'train_cfg.val_interval',
            'train_cfg.val_interval',
            'fixmatch cps rml',
        ),
        (
            'model.segmentors.0.backbone.depth',
            'model.backbone.depth',
            'fixmatch cps rml',
        ),
        ('model.segmentors.1.backbone.depth', None, 'cps rml'),
        (
            'optim_wrapper.students.0.optimizer.lr',
            'optim_wrapper.optimizer.lr',
            'fixmatch cps rml',
        ),
        ('optim_wrapper.students.1.optimizer.lr', None, 'cps rml'),
        (
            'train_dataloader.dataset.labelled.ann_file',
            'train_dataloader.dataset.ann_file',
            'fixmatch cps rml',
        ),
        (
            'train_dataloader.dataset.unlabelled.ann_file',
            None,
            'fixmatch cps rml',
        ),
        ('model.semi_train_cfg.unsup_weight', None, 'fixmatch cps rml'),
        ('model.rectifier.momentum', None, 'rml'),
        ('train_cfg.burn_in_iters', None, 'fixmatch cps rml'),
    ],
)
def test_each_method_takes_what_it_has(key, plain, others):
    fitted, notes = fit_options({key: 1}, CONFIGS)
    assert fitted['supervised'] == ({} if plain is None else {plain: 1})
    for name in ('fixmatch', 'cps', 'rml'):
        assert fitted[name] == ({key: 1} if name in others.split() else {})
    without = [name for name in CONFIGS if not fitted[name]]
    assert len(notes) == bool(without)
    if without:
        assert f'{key} is left out of {", ".join(without)}, which' in notes[0]


@pytest.mark.parametrize(
    ('key', 'right'),
    [
        ('train_cfg.stages', '--stages'),
        ('train_cfg.iters_per_stage', '--iters'),
    ],
)
def test_lengths_stay_equal(key, right):
    with pytest.raises(ValueError, match=f'{key}.*Use {right} instead, so'):
        fit_options({key: 2}, CONFIGS)
    semis = {n: c for n, c in CONFIGS.items() if n != 'supervised'}
    fitted, _ = fit_options({key: 2}, semis)
    assert all(options == {key: 2} for options in fitted.values())


def test_what_fits_none_is_refused():
    configs = {name: CONFIGS[name] for name in ('supervised', 'fixmatch')}
    options = {'model.segmentors.1.backbone.depth': 18}
    with pytest.raises(ValueError, match='config of supervised, fixmatch doe'):
        fit_options(options, configs)
