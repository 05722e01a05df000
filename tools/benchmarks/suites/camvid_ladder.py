# From supervised learning to two-stage RML on CamVid, a rung a method. The
# labelled eighth is the same for all seeds; they vary weights and order.
configs = 'configs/ablations'
methods = dict(
    supervised=dict(
        title='Supervised', config=f'{configs}/supervised_camvid_1-8.py'
    ),
    mean_teacher=dict(
        title='Mean teacher', config=f'{configs}/mean_teacher_camvid_1-8.py'
    ),
    direct=dict(
        title='Direct mutual learning',
        config=f'{configs}/direct_camvid_1-8.py',
    ),
    iml=dict(title='IML', config=f'{configs}/iml_camvid_1-8.py'),
    iml_noise=dict(
        title='IML + noise', config=f'{configs}/iml_noise_camvid_1-8.py'
    ),
    rml=dict(title='RML', config=f'{configs}/rml_camvid_1-8.py'),
    rml_two_stage=dict(
        title='RML, two stages',
        config=f'{configs}/rml_two-stage_camvid_1-8.py',
    ),
)
# One core climbs it in half an hour. Half of the first stage is
# the burn-in on labels alone, the same for all.
options = {
    'train_cfg.iters_per_stage': 400,
    'train_cfg.burn_in_iters': 200,
    'param_scheduler.0.periods': [200, 200],
    'train_cfg.val_interval': 400,
}
seeds = [0]
