# RML and its rivals on CamVid at 160x120, for CPU cores: every method over
# the same labels, networks, iterations and seeds. The labels follow the seed.
# What is wanted first comes first by --only and --seeds:
#
#     python tools/benchmarks/suite.py tools/benchmarks/suites/camvid_cpu.py \
#         --jobs 2 --seeds 0 --only '*/1-8/*'

# The schedule. Half of a stage is on ground truth alone, for all the same.
iterations = 2000
burn_in = 1000
# Times the iterations that a supervised network makes while RML makes its own,
# half of which are the burn-in: 0.47 s of a core each against 0.16 s.
as_long = 3

# Checkpoints are chosen on 37 training images, a tenth, that are neither
# labelled nor among the unlabelled ones. CamVid's frames are neighbours in
# videos, so these resemble the training images more than the test images do:
# they tell when to stop, not how well a network generalises.
split = (
    '{cwd}/configs/_base_/datasets/splits/camvid_held-out/{split}_seed{seed}'
)
checkpoints = ['last', 'best']
options = {
    'val_dataloader.dataset.ann_file': f'{split}/held_out.txt',
    'val_dataloader.dataset.data_prefix.img_path': 'img_dir/train',
    'val_dataloader.dataset.data_prefix.seg_map_path': 'ann_dir/train',
    'default_hooks.checkpoint.save_best': 'mIoU',
    # For processors with AVX512-BF16 or AMX: 1.3 times as fast as float32.
    'optim_wrapper.type': 'BFloat16OptimWrapper',
    'train_cfg.iters_per_stage': iterations,
    'param_scheduler.0.periods': [iterations],
    'train_cfg.val_interval': 250,
    'default_hooks.checkpoint.interval': 250,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
    # One process that loads is enough for one core that trains.
    'train_dataloader.num_workers': 1,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}
seeds = [0, 1, 2]
# 12, 46 and 92 labelled images, and all 330 that are not held out.
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
# Over which the gain of the others is given.
baseline = 'supervised'
ladder, rivals = 'configs/ablations', 'configs/rivals'
methods = dict(
    supervised=dict(
        title='Supervised',
        config=f'{ladder}/supervised_camvid_1-8.py',
        options=labels,
    ),
    supervised_as_long=dict(
        title='Supervised, as long in time as RML',
        config=f'{ladder}/supervised_camvid_1-8.py',
        splits=few,
        options={
            **labels,
            'train_cfg.iters_per_stage': as_long * iterations,
            'param_scheduler.0.periods': [as_long * iterations],
            'train_cfg.val_interval': 1000,
        },
    ),
    supervised_vit=dict(
        title='Supervised, transformer',
        config=f'{ladder}/supervised_vit_camvid_1-8.py',
        options=labels,
    ),
    mean_teacher=dict(
        semi,
        title='Mean teacher',
        config=f'{ladder}/mean_teacher_camvid_1-8.py',
    ),
    direct=dict(
        semi,
        title='Direct mutual learning',
        config=f'{ladder}/direct_camvid_1-8.py',
    ),
    iml=dict(semi, title='IML', config=f'{ladder}/iml_camvid_1-8.py'),
    iml_noise=dict(
        semi,
        title='IML + noise',
        config=f'{ladder}/iml_noise_camvid_1-8.py',
    ),
    rml=dict(semi, title='RML', config=f'{ladder}/rml_camvid_1-8.py'),
    rml_two_stage=dict(
        semi,
        title='RML, two stages',
        config=f'{ladder}/rml_two-stage_camvid_1-8.py',
    ),
    rml_four_stage=dict(
        semi,
        title='RML, four stages',
        config=f'{ladder}/rml_four-stage_camvid_1-8.py',
    ),
    rml_aligned=dict(
        semi,
        title='RML, two stages, aligned, online',
        config=f'{ladder}/rml_aligned_camvid_1-8.py',
    ),
    # What of the aligned method gives how much where labels are fewest.
    rml_online=dict(
        semi,
        title='RML, two stages, online',
        config=f'{ladder}/rml_two-stage_camvid_1-8.py',
        options={**images, 'model.semi_train_cfg.p0': 'online'},
    ),
    rml_aligned_own=dict(
        semi,
        title='RML, two stages, aligned, online, own labels',
        config=f'{ladder}/rml_aligned_camvid_1-8.py',
        options={**images, 'model.semi_train_cfg.ensemble_p0': False},
    ),
    rml_aligned_stage=dict(
        semi,
        title='RML, two stages, aligned, offline',
        config=f'{ladder}/rml_aligned_camvid_1-8.py',
        options={**images, 'model.semi_train_cfg.p0': 'stage'},
    ),
    rml_aligned_four_stage=dict(
        semi,
        title='RML, four stages, aligned, offline',
        config=f'{ladder}/rml_aligned_camvid_1-8.py',
        options={
            **images,
            'model.semi_train_cfg.p0': 'stage',
            'train_cfg.stages': 4,
        },
    ),
    fixmatch=dict(
        semi, title='FixMatch', config=f'{rivals}/fixmatch_camvid_1-8.py'
    ),
    cutmix_seg=dict(
        semi, title='CutMix-Seg', config=f'{rivals}/cutmix_seg_camvid_1-8.py'
    ),
    cutmix_seg_hard=dict(
        semi,
        title='CutMix-Seg, hard labels',
        config=f'{rivals}/cutmix_seg_hard_camvid_1-8.py',
    ),
    classmix=dict(
        semi, title='ClassMix', config=f'{rivals}/classmix_camvid_1-8.py'
    ),
    cps=dict(semi, title='CPS', config=f'{rivals}/cps_camvid_1-8.py'),
    dmt=dict(semi, title='DMT', config=f'{rivals}/dmt_camvid_1-8.py'),
    # As long in time as RML in two stages: an iteration of CPS takes as long
    # as one of RML, of one learner half of that.
    classmix_as_long=dict(
        semi,
        title='ClassMix, four stages',
        config=f'{rivals}/classmix_camvid_1-8.py',
        options={**images, 'train_cfg.stages': 4},
    ),
    cps_as_long=dict(
        semi,
        title='CPS, two stages',
        config=f'{rivals}/cps_camvid_1-8.py',
        options={**images, 'train_cfg.stages': 2},
    ),
    unimatch=dict(
        semi, title='UniMatch', config=f'{rivals}/unimatch_camvid_1-8.py'
    ),
    unimatch_v2=dict(
        semi,
        title='UniMatch V2',
        config=f'{rivals}/unimatch_v2_camvid_1-8.py',
    ),
    iml_cnn_cnn=dict(
        semi,
        title='IML, two CNNs',
        config=f'{ladder}/iml_mobilenetv2_mobilenetv2_camvid_1-8.py',
    ),
    iml_vit_vit=dict(
        semi,
        title='IML, two transformers',
        config=f'{ladder}/iml_vit_vit_camvid_1-8.py',
    ),
    rml_cnn_cnn=dict(
        semi,
        title='RML, two CNNs',
        config=f'{ladder}/rml_mobilenetv2_mobilenetv2_camvid_1-8.py',
    ),
    rml_vit_vit=dict(
        semi,
        title='RML, two transformers',
        config=f'{ladder}/rml_vit_vit_camvid_1-8.py',
    ),
)
