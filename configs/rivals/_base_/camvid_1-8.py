# Building blocks of the rivals on CamVid: the ladder's networks without
# model noise, and one strong view of each unlabelled image.
_base_ = '../../ablations/_base_/camvid_1-8.py'
geometry = _base_.unlabelled_pipeline_plain[:-2]
weak_view = dict(type='WeakStrongViews', num_strong=1)
strong_view = dict(
    type='WeakStrongViews',
    strong=[_base_.photometric],
    num_strong=1,
)
pack = dict(type='PackSemiSegInputs')
