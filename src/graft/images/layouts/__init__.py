"""Layouts of pictures that people have; each module makes an image source of one of them."""

from graft.images.layouts.class_folders import read_class_folders, read_track_folders
from graft.images.layouts.digits import read_digits
from graft.images.layouts.idx import read_idx
from graft.images.layouts.label_lines import read_label_line
from graft.images.layouts.label_tables import read_label_table
from graft.images.layouts.labelled_file_names import read_labelled_file_names
from graft.images.layouts.pixel_arrays import serve_arrays
from graft.images.layouts.table_columns import TableColumns

__all__ = [
    "TableColumns",
    "read_class_folders",
    "read_digits",
    "read_idx",
    "read_label_line",
    "read_label_table",
    "read_labelled_file_names",
    "read_track_folders",
    "serve_arrays",
]
