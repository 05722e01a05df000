from rml_mmseg.datasets.folder_files import folder_files


def test_links_are_followed_and_hidden_ones_left_out(tmp_path):
    folder, other = tmp_path / 'images', tmp_path / 'other'
    for path in (
        folder / 'a-b.png',
        folder / 'a/b.png',
        folder / '.cache/c.png',
        folder / 'a/._b.png',
        other / 'sub/d.png',
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / 'link').symlink_to(other)
    (folder / 'e.png').symlink_to(other / 'sub/d.png')
    found = ['a/b.png', 'a-b.png', 'e.png', 'link/sub/d.png']
    assert folder_files(folder) == found


def test_links_that_lead_back(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/b.png').touch()
    (tmp_path / 'self').symlink_to(tmp_path)
    (tmp_path / 'a/up').symlink_to(tmp_path)
    (tmp_path / 'gone').symlink_to(tmp_path / 'nowhere')
    assert folder_files(tmp_path) == ['a/b.png']
