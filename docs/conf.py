"""Settings of Sphinx: `python -m sphinx -W docs OUT` builds the pages.

The package is imported for its docstrings, so the environment is that of the
tests with the extra `docs`.
"""

import json
import os
import sys
from pathlib import Path

from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser
from sphinx import addnodes

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# isort: off
# Puts its workarounds in place before a module of mmseg is imported.
import rml_mmseg  # noqa: E402
from mmcv.transforms.utils import cache_randomness  # noqa: E402

# isort: on
project = 'rml_mmseg'
author = 'The rml_mmseg contributors'
project_copyright = f'2026, {author}'
version = release = rml_mmseg.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = f'rml_mmseg {release}'
myst_heading_anchors = 4
autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
napoleon_numpy_docstring = False
# Fields of tuples are members already.
napoleon_use_ivar = True


def read_from_class(self, instance, owner=None, bind=cache_randomness.__get__):
    """Give the descriptor itself where it is read from a class.

    mmcv's binds to an instance only, and napoleon reads members of classes.
    """
    return self if instance is None else bind(self, instance, owner)


cache_randomness.__get__ = read_from_class


def link_to_repository(app, doctree):
    """Make links to Markdown files and folders outside this one work.

    Neither is a page: the file is offered for download, and of a link
    to a folder the text stays. What does not exist is left to be a warning.
    """
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link['reftype'] != 'myst':
            continue
        folder = Path(app.env.doc2path(link['refdoc'])).parent
        page = Path(f'{folder / link["reftarget"]}.md')
        outside = Path(app.srcdir) not in page.resolve().parents
        if link['refdomain'] == 'doc' and outside and page.is_file():
            target = os.path.relpath(page, folder)
            download = addnodes.download_reference(
                '', '', *link.children, reftarget=target, refdoc=link['refdoc']
            )
            link.replace_self(download)
        elif not link['refdomain'] and (folder / link['reftarget']).is_dir():
            link.replace_self(nodes.inline('', '', *link.children))


class NotebookParser(MystParser):
    """A notebook as a page: its text and its code, without results."""

    supported = ('notebook',)

    def parse(self, inputstring, document):
        """Parse a notebook, given as its JSON."""
        parts = []
        for cell in json.loads(inputstring)['cells']:
            text = ''.join(cell['source'])
            if cell['cell_type'] == 'code':
                text = f'```python\n{text}\n```'
            parts.append(text)
        super().parse('\n\n'.join(parts), document)


def setup(app):
    app.add_source_suffix('.ipynb', 'notebook')
    app.add_source_parser(NotebookParser)
    # Before Sphinx collects what is to be downloaded.
    app.connect('doctree-read', link_to_repository, priority=400)
