"""Views of a request: options on the command line, in files, in workflows' inputs, and in the lineage."""

from assay.options.arguments import add_arguments, given_arguments
from assay.options.build import build, overlay, plain_options, plain_settings, read_values
from assay.options.definition import Base, Option, group, named, options_of, subset, written
from assay.options.files import ENDINGS, read_options, read_options_file

__all__ = [
    "ENDINGS",
    "Base",
    "Option",
    "add_arguments",
    "build",
    "given_arguments",
    "group",
    "named",
    "options_of",
    "overlay",
    "plain_options",
    "plain_settings",
    "read_options",
    "read_options_file",
    "read_values",
    "subset",
    "written",
]
