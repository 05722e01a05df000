# RML in two stages with what has helped small networks beyond the paper:
# labels that follow the teachers, of their mean, and keep the share of each
# class.
_base_ = './rml_two-stage_deeplabv2_vit_camvid_1-8.py'
model = dict(
    rectifier=dict(temperature=1.0, alignment=4.0),
    semi_train_cfg=dict(p0='online', ensemble_p0=True),
)
