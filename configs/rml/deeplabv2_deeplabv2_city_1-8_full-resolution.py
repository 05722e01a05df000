# For tools/test.py alone: scores at 2048x1024, named full-resolution/mIoU.
# Images are read at half size, predictions enlarged to the labels.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
test_dataloader = dict(
    dataset=dict(data_root='{{$FULL_DATA_ROOT:data/cityscapes}}')
)
test_evaluator = dict(prefix='full-resolution')
