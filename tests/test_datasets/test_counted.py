from rml_mmseg.datasets.counted import counted


def test_one_and_others():
    found = [counted(number, 'image') for number in (0, 1, 2)]
    assert found == ['0 images', '1 image', '2 images']
    assert counted(1, 'thing is', 'things are') == '1 thing is'
    assert counted(3, 'thing is', 'things are') == '3 things are'
