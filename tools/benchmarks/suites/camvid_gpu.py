# RML and its rivals on CamVid at 480x360, one run a GPU at a time; the labels
# follow the seed. See camvid_cpu.py for how checkpoints are chosen.

# The schedule. Half of a stage is on labels alone, for all the same.
iterations = 4000
burn_in = 2000
# Iterations of a supervised network in the time of an iteration of RML, as
# measured for camvid_cpu.py; for a GPU it is not measured.
as_long = 4

split = (
    '{cwd}/configs/_base_/datasets/splits/camvid_held-out/{split}_seed{seed}'
)
checkpoints = ['last', 'best']
options = {
    'val_dataloader.dataset.ann_file': f'{split}/held_out.txt',
    'val_dataloader.dataset.data_prefix.img_path': 'img_dir/train',
    'val_dataloader.dataset.data_prefix.seg_map_path': 'ann_dir/train',
    'default_hooks.checkpoint.save_best': 'mIoU',
    'train_cfg.iters_per_stage': iterations,
    'param_scheduler.0.periods': [iterations],
    'train_cfg.val_interval': 500,
    'default_hooks.checkpoint.interval': 500,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
    'optim_wrapper.type': 'BFloat16OptimWrapper',
}
seeds = [0, 1, 2]
splits = ['1-30', '1-8', '1-4', 'full']
few = splits[:-1]

labels = {'train_dataloader.dataset.ann_file': f'{split}/labelled.txt'}
# The masks of the unlabelled images are for the monitor's curves alone.
images = {
    'train_dataloader.dataset.labelled.ann_file': f'{split}/labelled.txt',
    'train_dataloader.dataset.unlabelled.ann_file': f'{split}/unlabelled.txt',
    'train_dataloader.dataset.unlabelled.data_prefix.seg_map_path': (
        'ann_dir/train'
    ),
    'default_hooks.monitor.type': 'PseudoLabelMonitorHook',
    'default_hooks.monitor.window': 20,
    'train_cfg.burn_in_iters': burn_in,
}
semi = dict(splits=few, options=images)
folder, name = 'configs/camvid_480x360', '_camvid_1-8.py'
methods = dict(
    supervised=dict(
        title='Supervised',
        config=f'{folder}/supervised_deeplabv2{name}',
        options=labels,
    ),
    supervised_as_long=dict(
        title='Supervised, as long in time as RML',
        config=f'{folder}/supervised_deeplabv2{name}',
        splits=few,
        options={
            **labels,
            'train_cfg.iters_per_stage': as_long * iterations,
            'param_scheduler.0.periods': [as_long * iterations],
            'train_cfg.val_interval': 2000,
        },
    ),
    supervised_vit=dict(
        title='Supervised, transformer',
        config=f'{folder}/supervised_vit{name}',
        options=labels,
    ),
    mean_teacher=dict(
        semi,
        title='Mean teacher',
        config=f'{folder}/mean_teacher_deeplabv2{name}',
    ),
    direct=dict(
        semi,
        title='Direct mutual learning',
        config=f'{folder}/direct_deeplabv2_vit{name}',
    ),
    iml=dict(semi, title='IML', config=f'{folder}/iml_deeplabv2_vit{name}'),
    iml_noise=dict(
        semi,
        title='IML + noise',
        config=f'{folder}/iml_noise_deeplabv2_vit{name}',
    ),
    rml=dict(semi, title='RML', config=f'{folder}/rml_deeplabv2_vit{name}'),
    rml_two_stage=dict(
        semi,
        title='RML, two stages',
        config=f'{folder}/rml_two-stage_deeplabv2_vit{name}',
    ),
    fixmatch=dict(
        semi, title='FixMatch', config=f'{folder}/fixmatch_deeplabv2{name}'
    ),
    cutmix_seg=dict(
        semi, title='CutMix-Seg', config=f'{folder}/cutmix_seg_deeplabv2{name}'
    ),
    classmix=dict(
        semi, title='ClassMix', config=f'{folder}/classmix_deeplabv2{name}'
    ),
    cps=dict(semi, title='CPS', config=f'{folder}/cps_deeplabv2_vit{name}'),
    unimatch=dict(
        semi, title='UniMatch', config=f'{folder}/unimatch_deeplabv2{name}'
    ),
    iml_cnn_cnn=dict(
        semi,
        title='IML, two CNNs',
        config=f'{folder}/iml_deeplabv2_deeplabv2{name}',
    ),
    iml_vit_vit=dict(
        semi,
        title='IML, two transformers',
        config=f'{folder}/iml_vit_vit{name}',
    ),
    rml_cnn_cnn=dict(
        semi,
        title='RML, two CNNs',
        config=f'{folder}/rml_deeplabv2_deeplabv2{name}',
    ),
    rml_vit_vit=dict(
        semi,
        title='RML, two transformers',
        config=f'{folder}/rml_vit_vit{name}',
    ),
)
