"""Hooks of mkdocs: graphs, references and linked files are made from the code when the site is built.

A page asks for them by a comment: `<!-- graph: workflows.training.train_quality_classifier -->`, `<!-- inputs: … -->`,
`<!-- reference: commands -->`.
"""

import re
import sys
import textwrap
from typing import Any

import graphs
import reference
import repository
from mkdocs.structure.files import File, Files

GRAPH = re.compile(r"<!-- graph: ([\w.]+) -->")
INPUTS = re.compile(r"^( *)<!-- inputs: ([\w.]+) -->", re.MULTILINE)
REFERENCE = re.compile(r"<!-- reference: (\w+) -->")


def on_config(config: Any) -> Any:
    """Make the code importable: it is never installed."""
    if str(repository.ROOT) not in sys.path:
        sys.path.insert(0, str(repository.ROOT))
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the files of the repository that pages link to."""
    for path in repository.outside():
        files.append(File.generated(config, repository.uri_of(path), content=repository.page_of(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in tables from the code, and lead links to files of the repository to their pages."""
    markdown = INPUTS.sub(lambda found: textwrap.indent(graphs.inputs_of(found[2]), found[1]), markdown)
    markdown = REFERENCE.sub(lambda found: getattr(reference, found[1])(), markdown)
    return repository.relinked(page.file.src_uri, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Draw the graphs. It is done in the HTML, of which Markdown would change the SVG."""
    return GRAPH.sub(lambda found: f'<figure class="graph">{graphs.svg_of(found[1])}</figure>', html)
