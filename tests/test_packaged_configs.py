from rml_mmseg.packaged_configs import base_path, configs_folder


def test_bases_are_relative_within_a_checkout(tmp_path):
    configs = configs_folder()
    inside = base_path(configs.parent / 'data' / 'mine', 'runtime/default.py')
    assert inside == '../../configs/_base_/runtime/default.py'
    outside = base_path(tmp_path, 'runtime/default.py')
    assert outside == str(configs / '_base_/runtime/default.py')
