# The grid of camvid_cpu.py with larger networks at 480x360, one run a GPU at a
# time.
_base_ = './camvid_cpu.py'
iterations = 4000
burn_in = 2000
options = {
    'train_cfg.iters_per_stage': iterations,
    'param_scheduler.0.periods': [iterations],
    'train_cfg.val_interval': 500,
    'default_hooks.checkpoint.interval': 500,
    'train_dataloader.num_workers': 4,
    'val_dataloader.num_workers': 2,
    'val_dataloader.persistent_workers': True,
    'test_dataloader.num_workers': 2,
    'test_dataloader.persistent_workers': True,
}
stems = dict(
    supervised='supervised_deeplabv2',
    supervised_as_long='supervised_deeplabv2',
    supervised_vit='supervised_vit',
    mean_teacher='mean_teacher_deeplabv2',
    direct='direct_deeplabv2_vit',
    iml='iml_deeplabv2_vit',
    iml_noise='iml_noise_deeplabv2_vit',
    rml='rml_deeplabv2_vit',
    rml_two_stage='rml_two-stage_deeplabv2_vit',
    rml_four_stage='rml_four-stage_deeplabv2_vit',
    rml_aligned='rml_aligned_deeplabv2_vit',
    rml_aligned_four_stage='rml_aligned_deeplabv2_vit',
    rml_online='rml_two-stage_deeplabv2_vit',
    rml_aligned_own='rml_aligned_deeplabv2_vit',
    rml_aligned_stage='rml_aligned_deeplabv2_vit',
    fixmatch='fixmatch_deeplabv2',
    cutmix_seg='cutmix_seg_deeplabv2',
    cutmix_seg_hard='cutmix_seg_hard_deeplabv2',
    classmix='classmix_deeplabv2',
    classmix_as_long='classmix_deeplabv2',
    cps='cps_deeplabv2_vit',
    cps_as_long='cps_deeplabv2_vit',
    dmt='dmt_deeplabv2_vit',
    unimatch='unimatch_deeplabv2',
    unimatch_v2='unimatch_v2_deeplabv2',
    iml_cnn_cnn='iml_deeplabv2_deeplabv2',
    iml_vit_vit='iml_vit_vit',
    rml_cnn_cnn='rml_deeplabv2_deeplabv2',
    rml_vit_vit='rml_vit_vit',
)
methods = {
    name: dict(
        config=f'configs/camvid_480x360/{stem}_camvid_1-8.py',
        options=(
            {}
            if name.startswith('supervised')
            else {'train_cfg.burn_in_iters': burn_in}
        ),
    )
    for name, stem in stems.items()
}
# How long RML takes on a GPU beside one network is not measured: as on a CPU.
as_long = _base_.as_long * iterations
methods['supervised_as_long']['options'] = {
    'train_cfg.iters_per_stage': as_long,
    'param_scheduler.0.periods': [as_long],
    'train_cfg.val_interval': 2000,
}
