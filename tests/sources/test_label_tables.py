"""Tables of labels: every row is taken as it stands, or refused by its number."""

from __future__ import annotations

import csv
import io
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from graft.errors import GraftError, PictureError
from graft.sources.label_tables import read_label_table
from graft.sources.table_rows import TableColumns

COLUMNS = TableColumns(file_column="file", label_column="label")
PICTURES = {"a.jpg": b"A", "b.jpg": b"B", "deep/c.jpg": b"C"}
TABLE = "file,label\na.jpg,cat\nb.jpg,dog\ndeep/c.jpg,cat\n"
LABELS = {"a.jpg": "cat", "b.jpg": "dog", "deep/c.jpg": "cat"}


@pytest.fixture
def lay(pack_folder):
    """Function that lays pictures and a table into one folder."""

    def lay(table, pictures=PICTURES, name="labels.csv"):
        content = table if isinstance(table, bytes) else table.encode()
        return pack_folder({**pictures, name: content}) / name

    return lay


def refuse(path, message, columns=COLUMNS):
    with pytest.raises(GraftError, match=message) as error:
        read_label_table(path, columns)
    assert len(str(error.value).splitlines()) == 1


def test_labels_are_read_from_the_table(lay, get_facts):
    source = read_label_table(lay(TABLE), COLUMNS)
    assert get_facts(source) == LABELS
    assert {name: source.read(name) for name in PICTURES} == PICTURES


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_brings_out_the_columns(lay, get_facts, separator):
    table = TABLE.replace(",", separator).replace("dog", '"dog, or; wolf"')
    labels = get_facts(read_label_table(lay(table), COLUMNS))
    assert labels == {**LABELS, "b.jpg": "dog, or; wolf"}


def test_a_column_whose_name_holds_a_comma_does_not_mislead(lay, get_facts):
    table = "file;label;size, in pixels, about\na.jpg;cat;1,2,3\n"
    assert get_facts(read_label_table(lay(table), COLUMNS))["a.jpg"] == "cat"


def test_the_separator_may_be_given(lay, get_facts):
    columns = TableColumns(file_column="file", label_column="label", separator=":")
    table = TABLE.replace(",", ":")
    assert get_facts(read_label_table(lay(table), columns)) == LABELS
    refuse(lay(TABLE), r"has no column 'file'; its columns are 'file,label'", columns)


def test_the_first_line_of_excel_names_the_separator(lay, get_facts):
    assert (
        get_facts(read_label_table(lay("sep=;\r\n" + TABLE.replace(",", ";")), COLUMNS)) == LABELS
    )
    refuse(lay("sep=;\nfile;label\n;cat\n"), "row 3 of 'labels.csv' is empty")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_may_have_any_line_ends_and_byte_order_mark(lay, get_facts, encoding, end):
    pictures = {"ä 雛.jpg": b"1", "b.jpg": b"2"}
    table = end.join(["file,label", "ä 雛.jpg,Bär", "", "b.jpg,🌼"]).encode(encoding)
    labels = get_facts(read_label_table(lay(table, pictures), COLUMNS))
    assert labels == {"ä 雛.jpg": "Bär", "b.jpg": "🌼"}


def test_an_older_encoding_must_be_named(lay, get_facts):
    path = lay("file,label\na.jpg,Bär\n".encode("cp1252"))
    refuse(path, r"is not text in utf-8 .*name its encoding, such as cp1252.*got encoding None$")
    named = TableColumns(file_column="file", label_column="label", encoding="cp1252")
    assert get_facts(read_label_table(path, named))["a.jpg"] == "Bär"


@pytest.mark.parametrize("encoding", ["no-such", "hex", "utf-16-be", "ascii"])
def test_a_wrong_encoding_is_refused(lay, encoding):
    path = lay("file,label\na.jpg,Bär\n".encode())
    columns = TableColumns(file_column="file", label_column="label", encoding=encoding)
    refuse(path, "is not text in|must begin with a header|no column", columns)


@pytest.mark.parametrize("label", ["007", "0", "1.0", "NA", "nan", "null", "True", "1e5", "-", "№"])
def test_labels_are_text_and_nothing_else(lay, get_facts, label):
    table = f"file,label\na.jpg,{label}\n"
    assert get_facts(read_label_table(lay(table), COLUMNS))["a.jpg"] == label


def test_numbers_may_be_filled_up_so_that_their_order_is_that_of_text(lay, get_facts):
    columns = TableColumns(file_column="file", label_column="label", label_digits=2)
    table = "file,label\na.jpg,2\nb.jpg,12\ndeep/c.jpg,x\n"
    assert list(get_facts(read_label_table(lay(table), columns)).values()) == ["02", "12", "x"]


def test_an_empty_cell_is_no_label(lay, get_facts):
    table = "file,label\na.jpg,\nb.jpg, \ndeep/c.jpg,cat\n"
    assert list(get_facts(read_label_table(lay(table), COLUMNS)).values()) == [None, None, "cat"]


def test_pictures_that_are_not_listed_are_unlabelled_and_the_table_is_no_picture(lay, get_facts):
    labels = get_facts(read_label_table(lay("file,label\nb.jpg,dog\n"), COLUMNS))
    assert labels == {"a.jpg": None, "b.jpg": "dog", "deep/c.jpg": None}


def test_a_listed_file_that_is_not_there_is_a_picture_that_cannot_be_read(lay, get_facts):
    source = read_label_table(lay(TABLE + "lost.jpg,dog\n"), COLUMNS)
    assert get_facts(source) == {**LABELS, "lost.jpg": "dog"}
    with pytest.raises(PictureError, match=r"^listed in the table, but not there$"):
        source.read("lost.jpg")


def test_a_table_of_which_nothing_is_there_is_refused(lay):
    refuse(lay("file,label\nx/a.jpg,cat\n"), r"not one of the 1 files .* as images; .*'x/a\.jpg'$")


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "deep/../../evil.jpg", "/etc/passwd", "C:\\evil.jpg", "c:evil.jpg",
     "..\\evil.jpg", "deep\\..\\..\\evil.jpg",
     "\\\\server\\share\\evil.jpg", "\\evil.jpg", " ../e"],
)  # fmt: skip
def test_a_file_name_that_leaves_the_folder_is_refused_before_anything_is_read(lay, name):
    path = lay(f"file,label\na.jpg,cat\n{name},dog\n")
    (path.parent.parent / "evil.jpg").write_bytes(b"private")
    refuse(path, r"must stay in the folder .*; correct row 3 of 'labels\.csv'; got '")


@pytest.mark.parametrize("name", ["./deep/c.jpg", "deep//c.jpg", "deep\\c.jpg", " deep/c.jpg "])
def test_careless_spellings_of_a_file_name_are_understood(lay, get_facts, name):
    labels = get_facts(read_label_table(lay(f"file,label\n{name},cat\n"), COLUMNS))
    assert labels == {"a.jpg": None, "b.jpg": None, "deep/c.jpg": "cat"}


def test_both_ways_to_write_a_letter_with_dots_are_understood(lay, get_facts):
    one, two = "\u00e4.jpg", "a\u0308.jpg"
    labels = get_facts(read_label_table(lay(f"file,label\n{one},cat\n", {two: b""}), COLUMNS))
    assert labels == {two: "cat"}


def test_names_with_spaces_around_them_are_found_as_they_are(lay, get_facts):
    table = 'file,label\n" a.jpg",cat\na.jpg,dog\n'
    labels = get_facts(read_label_table(lay(table, {" a.jpg": b"", "a.jpg": b""}), COLUMNS))
    assert labels == {" a.jpg": "cat", "a.jpg": "dog"}


def test_a_suffix_may_be_added_to_bare_names(lay, get_facts):
    columns = TableColumns(file_column="id", label_column="breed", file_suffix=".jpg")
    labels = get_facts(read_label_table(lay("id,breed\na,pug\nb,boxer\n"), columns))
    assert labels["a.jpg"] == "pug"


def test_a_link_in_the_table_that_leaves_the_folder_is_not_read(lay, tmp_path):
    path = lay("file,label\nlink.jpg,cat\n")
    (tmp_path / "private.jpg").write_bytes(b"private")
    (path.parent / "link.jpg").symlink_to(tmp_path / "private.jpg")
    with pytest.raises(PictureError, match="leaves the source folder"):
        read_label_table(path, COLUMNS).read("link.jpg")


def test_a_missing_column_is_refused_with_those_there_are(lay):
    refuse(lay("name,class\na.jpg,cat\n"), r"no column 'file'; its columns are 'name', 'class'$")


def test_a_column_that_is_there_twice_is_refused(lay):
    refuse(lay("file,label,label\na.jpg,cat,dog\n"), "has 2 columns 'label'")


@pytest.mark.parametrize("table", ["", "\n\n", "\ufeff", ",,,\n"])
def test_a_table_without_a_header_is_refused(lay, table):
    refuse(lay(table), "must begin with a header")


def test_a_table_of_a_header_alone_is_refused(lay):
    refuse(lay("file,label\n"), "must list files; got none")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.jpg", "the 2 cells of the header; row 3 of 'labels.csv' begins with 'b.jpg'; got 1"),
        ("b.jpg,dog,brown", "row 3 of .*; got 3 cells"),
        ('b.jpg,"dog', "look for a stray quotation mark; got row 3"),
        ('b.jpg,"do"g', "look for a stray quotation mark; got row 3"),
        (f"b.jpg,{'x' * 200_000}", "field larger than field limit"),
        (",dog", "the cell 'file' of row 3 of 'labels.csv' is empty"),
    ],
)
def test_a_row_that_does_not_fit_the_header_is_named(lay, row, message):
    refuse(lay(f"file,label\na.jpg,cat\n{row}\n"), message)


def test_empty_cells_beyond_the_header_are_no_fault(lay, get_facts):
    assert get_facts(read_label_table(lay(TABLE.replace("dog", "dog,, ")), COLUMNS)) == LABELS


def test_rows_that_say_the_same_twice_are_one_picture(lay, get_facts):
    assert get_facts(read_label_table(lay(TABLE + "./a.jpg,cat \n"), COLUMNS)) == LABELS


@pytest.mark.parametrize("label", ["dog", ""])
def test_rows_that_contradict_each_other_are_both_named(lay, label):
    refuse(
        lay(f"{TABLE}a.jpg,{label}\n"),
        r"row 2 of 'labels\.csv' and row 5 of 'labels\.csv' contradict each other about 'a\.jpg'",
    )


CROPS = TableColumns(
    file_column="file", label_column="label", crop_columns=["x1", "y1", "x2", "y2"]
)
CROP_HEADER = "file,label,x1,y1,x2,y2\n"


def test_crops_of_one_file_are_several_pictures_of_one_group(lay, get_facts):
    table = CROP_HEADER + "a.jpg,cat,0,0,5,5\nb.jpg,dog,1,2,3,4\na.jpg,dog,5.0,5,9,9\n"
    source = read_label_table(lay(table), CROPS)
    assert get_facts(source) == {
        "a.jpg": "cat", "a.jpg#2": "dog", "b.jpg": "dog", "deep/c.jpg": None
    }  # fmt: skip
    assert list(get_facts(source, "crop").values()) == ["0,0,5,5", "5,5,9,9", "1,2,3,4", None]
    assert list(get_facts(source, "group").values()) == ["a.jpg", "a.jpg", None, None]
    assert source.read("a.jpg") == source.read("a.jpg#2") == b"A"


def test_the_name_of_a_part_is_never_that_of_a_file(lay, get_facts):
    table = CROP_HEADER + "a.jpg,cat,0,0,5,5\na.jpg,cat,1,1,5,5\na.jpg#3,cat,1,1,5,5\n"
    source = read_label_table(lay(table, {"a.jpg": b"A", "a.jpg#2": b"other"}), CROPS)
    assert list(get_facts(source)) == ["a.jpg", "a.jpg#4", "a.jpg#2", "a.jpg#3"]
    assert source.read("a.jpg#2") == b"other"
    assert source.read("a.jpg#4") == b"A"


def test_a_row_without_a_crop_is_about_the_whole_picture(lay, get_facts):
    source = read_label_table(lay(CROP_HEADER + "a.jpg,cat,,, ,\nb.jpg,dog,1,2,3,4\n"), CROPS)
    assert get_facts(source, "crop")["a.jpg"] is None


@pytest.mark.parametrize(
    "crop", ["1,2,,4", "5,5,5,9", "9,9,1,1", "-1,0,4,4", "0,0,1.5,2", "a,b,c,d"]
)
def test_a_crop_that_is_none_is_refused_by_its_row(lay, crop):
    refuse(lay(f"{CROP_HEADER}a.jpg,cat,{crop}\n"), r"^row 2 of 'labels\.csv': a crop is", CROPS)


def test_the_same_crop_with_another_label_is_refused(lay):
    table = CROP_HEADER + "a.jpg,cat,0,0,5,5\na.jpg,dog,0,0,5.0,05\n"
    refuse(lay(table), "row 2 .* and row 3 .* contradict", CROPS)


SIZED = TableColumns(
    file_column="f",
    label_column="l",
    crop_columns=["x1", "y1", "x2", "y2"],
    size_columns=["w", "h"],
)
SIZED_HEADER = "f,l,w,h,x1,y1,x2,y2\n"


@pytest.mark.parametrize(
    ("size", "crop"),
    [
        ((40, 20), "10,5,31,15"),
        ((80, 20), "20,5,62,15"),
        ((20, 10), "5,2,16,8"),
        ((1, 1), "0,0,1,1"),
    ],
)
def test_a_crop_measured_in_another_size_is_scaled_and_that_is_told(
    lay, encode, get_facts, size, crop
):
    pictures = {"a.png": encode(Image.new("RGB", size), "png")}
    path = lay(SIZED_HEADER + "a.png,cat,40,20,10,5,31,15\n", pictures)
    source = read_label_table(path, SIZED)
    assert get_facts(source, "crop") == {"a.png": crop}
    note = "Crops        1 scaled: their files are not of the size that the table says"
    assert source.notes == ((note,) if size != (40, 20) else ())


def test_a_crop_is_measured_in_the_upright_picture(lay, encode, get_facts):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    pictures = {"a.jpg": encode(Image.new("RGB", (20, 40)), "jpeg", exif=exif)}
    path = lay(SIZED_HEADER + "a.jpg,cat,40,20,10,5,31,15\n", pictures)
    assert get_facts(read_label_table(path, SIZED), "crop") == {"a.jpg": "10,5,31,15"}


def test_a_picture_that_cannot_be_measured_keeps_its_crop(lay, get_facts):
    path = lay(SIZED_HEADER + "a.png,cat,40,20,10,5,31,15\n", {"a.png": b"broken"})
    assert get_facts(read_label_table(path, SIZED), "crop") == {"a.png": "10,5,31,15"}


@pytest.mark.parametrize("size", ["0,20", "-1,20", ",20", "40.5,20", "x,20"])
def test_a_size_that_is_none_is_refused_by_its_row(lay, size):
    table = f"{SIZED_HEADER}a.jpg,cat,{size},1,1,2,2\n"
    refuse(lay(table), r"^row 2 of 'labels\.csv': the width and height", SIZED)


def test_groups_and_sources_are_columns(lay, get_facts):
    table = "file,label,patient,from\na.jpg,cat,7,web\nb.jpg,dog,7,\n"
    columns = TableColumns(
        file_column="file", label_column="label", group_column="patient", source_column="from"
    )
    source = read_label_table(lay(table), columns)
    assert get_facts(source, "group") == {"a.jpg": "7", "b.jpg": "7", "deep/c.jpg": None}
    assert get_facts(source, "source") == {"a.jpg": "web", "b.jpg": None, "deep/c.jpg": None}


@pytest.mark.parametrize(("within", "group"), [(True, ["x/7", "y/7"]), (False, ["7", "7"])])
def test_groups_in_file_names_are_made_unique_by_the_class_if_wanted(lay, get_facts, within, group):
    pictures = {"7_1.jpg": b"", "7_2.jpg": b""}
    columns = TableColumns(
        file_column="file",
        label_column="label",
        group_pattern=r"(?P<group>\d)_\d\.jpg",
        group_within_class=within,
    )
    source = read_label_table(lay("file,label\n7_1.jpg,x\n7_2.jpg,y\n", pictures), columns)
    assert list(get_facts(source, "group").values()) == group


def test_a_pattern_that_finds_no_group_is_refused(lay):
    columns = TableColumns(
        file_column="file", label_column="label", group_pattern=r"(?P<group>\d+)_.*"
    )
    refuse(lay(TABLE), r"matches the pattern .*; the first file is 'a\.jpg'$", columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_column": "a", "group_pattern": "(?P<group>b)"}, "not by both; got 'a' and"),
        ({"crop_columns": ["a", "b"]}, "names of four columns"),
        ({"crop_columns": "abcd"}, "crop_columns: .* list; got 'abcd'"),
        ({"file_column": 0}, "file_column: .* string; got 0"),
        ({"crops": []}, "did you mean 'crop_columns'|unknown name; .*; got 'crops'"),
        ({"size_columns": ["a"]}, "names of two columns"),
        ({"size_columns": ["a", "b"]}, "of use to crop_columns alone"),
        ({"separator": ", "}, "separator must be one character"),
        ({"separator": '"'}, "separator must be one character"),
        ({"separator": ""}, "separator must be one character"),
    ],
)
def test_columns_that_make_no_sense_are_refused(options, message):
    with pytest.raises(GraftError, match=message):
        TableColumns.model_validate({"file_column": "file", "label_column": "label", **options})


TRACKS = {
    "signs/0/GT-0.csv": b"file;label\n00038_1.ppm;0\n",
    "signs/0/00038_1.ppm": b"0",
    "signs/1/GT-1.csv": b"file;label\n00038_1.ppm;1\n",
    "signs/1/00038_1.ppm": b"1",
}
TRACK_LABELS = {"signs/0/00038_1.ppm": "0", "signs/1/00038_1.ppm": "1"}


def test_there_may_be_a_table_in_each_folder(pack, get_facts):
    source = read_label_table(pack(TRACKS), COLUMNS)
    assert get_facts(source) == TRACK_LABELS
    assert source.read("signs/1/00038_1.ppm") == b"1"


@pytest.mark.parametrize("pattern", ["signs/*/GT-*.csv", "**/GT-*.csv", "signs/[01]/*.csv"])
def test_the_tables_may_be_named_by_a_pattern(pack_folder, get_facts, pattern):
    path = pack_folder({**TRACKS, "signs/other.csv": b"not a table of labels"})
    labels = get_facts(read_label_table(path / pattern, COLUMNS))
    assert [label for label in labels.values() if label] == ["0", "1"]


def test_a_fault_in_one_of_many_tables_is_named_with_its_table(pack_folder):
    path = pack_folder({**TRACKS, "signs/1/GT-1.csv": b"name;label\n1.ppm;1\n"})
    refuse(path, r"'signs/1/GT-1\.csv' has no column 'file'")


@pytest.mark.parametrize("path", ["", "missing.csv", "*/none*.csv", "a.jpg/x"])
def test_a_source_without_a_table_is_refused(pack_folder, path):
    refuse(pack_folder({"a.jpg": b""}) / path, "give one that exists|there is no table of labels")


def test_the_pictures_may_lie_elsewhere(lay, pack_zip, get_facts):
    path = lay(TABLE, {})
    source = read_label_table(path, COLUMNS, images=pack_zip(PICTURES))
    assert get_facts(source) == LABELS
    assert source.read("deep/c.jpg") == b"C"


def test_a_table_beside_pictures_elsewhere_does_not_make_its_own_folder_a_source(
    lay, pack_zip, get_facts
):
    path = lay(TABLE, {"private.jpg": b""})
    assert get_facts(read_label_table(path, COLUMNS, images=pack_zip(PICTURES))) == LABELS


def test_a_table_that_is_a_link_out_of_the_folder_is_not_read(pack_folder, tmp_path):
    path = pack_folder(TRACKS)
    (tmp_path / "outside.csv").write_text(TABLE)
    (path / "linked.csv").symlink_to(tmp_path / "outside.csv")
    refuse(path, r"cannot be read: symbolic link that leaves .*; got 'linked\.csv'")


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(cells, min_size=3, max_size=3), st.sampled_from(",;\t|"))
def test_any_labels_that_a_table_can_hold_come_back_without_the_space_around(
    lay, get_facts, labels, separator
):
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([("file", "label"), *zip(PICTURES, labels, strict=True)])
    found = get_facts(read_label_table(lay(table.getvalue()), COLUMNS))
    # Names of classes are in Unicode's NFC, whatever spelling the table has.
    assert list(found.values()) == [normalize("NFC", label.strip()) or None for label in labels]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=40) | st.text('a.jpg,;"\n\\/. b', max_size=40).map(str.encode))
def test_any_bytes_are_a_table_or_one_line(lay, attempt, body):
    attempt(read_label_table, lay(body), COLUMNS)
    source = attempt(read_label_table, lay(b"file,label\n" + body), COLUMNS)
    assert source is None or set(PICTURES) <= set(source.records["image_id"])


@pytest.mark.shared
def test_the_real_traffic_signs_are_read_with_tracks_and_crops(shared, get_facts):
    columns = TableColumns(
        file_column="Filename",
        label_column="ClassId",
        label_digits=2,
        group_pattern=r"(?P<group>\d+)_\d+\.ppm",
        crop_columns=["Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"],
        size_columns=["Width", "Height"],
    )
    source = read_label_table(shared / "data" / "gtsrb", columns)
    name = "Final_Training/Images/00015/00000_00000.ppm"
    assert len(source.records) == 1_290
    assert get_facts(source)[name] == "15"
    assert get_facts(source, "group")[name] == "15/00000"
    # The signs beside the checkout are all made 32×32: 6,5,37,36 was measured in 42×41.
    assert get_facts(source, "crop")[name] == "4,3,29,29"
    assert source.records["label"].nunique() == 43
    assert source.read(name).startswith(b"P6")


HOT = "file,cat,dog\na.jpg,1,0\nb.jpg,0.0,1.0\ndeep/c.jpg,0,\n"
HOT_COLUMNS = TableColumns(file_column="file", label_columns=["cat", "dog"])


def test_a_column_a_class_gives_the_label_that_is_1(lay, get_facts):
    labels = get_facts(read_label_table(lay(HOT), HOT_COLUMNS))
    assert labels == {"a.jpg": "cat", "b.jpg": "dog", "deep/c.jpg": None}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a.jpg,1,0", "a.jpg,1,1", r"row 2 .* one label, not several; .*1 in 'cat', 'dog'$"),
        ("a.jpg,1,0", "a.jpg,0.7,0.3", r"row 2 .* hold 0 or 1; got '0.7' in 'cat'$"),
    ],
)
def test_a_row_that_is_not_one_hot_is_refused(lay, old, new, message):
    with pytest.raises(GraftError, match=message):
        read_label_table(lay(HOT.replace(old, new)), HOT_COLUMNS)


@pytest.mark.parametrize("columns", [{}, {"label_column": "a", "label_columns": ["b"]}])
def test_labels_stand_in_one_kind_of_columns(columns):
    with pytest.raises(GraftError, match=r"labels are in label_column, or in label_columns of 0"):
        TableColumns.model_validate({"file_column": "file", **columns})


def test_a_workbook_of_excel_gets_advice_that_can_be_followed(lay, tmp_path):
    path = lay(TABLE)
    book = path.with_name("labels.xlsx") if path.is_file() else path / "labels.xlsx"
    book.write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(GraftError, match=r"save it in Excel as 'CSV UTF-8' .*labels\.xlsx'$"):
        read_label_table(book, COLUMNS)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/labels.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(GraftError, match=r"Excel \(labels\.xlsx\) must be saved as 'CSV UTF-8'"):
        read_label_table(tmp_path / "alone", COLUMNS)
