# The second network from the 46 labelled images alone.
_base_ = './_base_/supervised_camvid_1-8.py'
model = dict(
    _delete_=True,
    data_preprocessor=_base_.stock_preprocessor,
    **_base_.plain[1],
)
