"""One character a picture, in natural order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graft.errors import GraftError
from graft.sources.file_names import natural_key
from graft.sources.label_lines import read_label_line

ROOMS = {f"bed_{number}.jpg": b"%d" % number for number in (1, 2, 3, 4, 8, 10, 11, 100)}
NAMES = {"O": "old", "M": "modern"}


@pytest.fixture
def lay(pack_folder):
    """Function that lays rooms and a line of labels into one folder."""

    def lay(text, files=ROOMS):
        content = text if isinstance(text, bytes) else text.encode()
        return pack_folder({**files, "labels.txt": content}) / "labels.txt"

    return lay


def test_the_characters_label_the_pictures_in_the_order_of_their_numbers(lay, get_facts):
    source = read_label_line(lay("OOMMOMOM"), class_names=NAMES)
    labels = get_facts(source)
    assert [labels[name] for name in ROOMS] == [
        "old", "old", "modern", "modern", "old", "modern", "old", "modern"
    ]  # fmt: skip
    assert source.read("bed_10.jpg") == b"10"


def test_the_file_of_labels_is_no_picture(lay, get_facts):
    assert "labels.txt" not in get_facts(read_label_line(lay("O")))


def test_pictures_beyond_the_last_character_are_unlabelled(lay, get_facts):
    labels = get_facts(read_label_line(lay("OM"), class_names=NAMES))
    assert labels == {**dict.fromkeys(ROOMS), "bed_1.jpg": "old", "bed_2.jpg": "modern"}


def test_more_characters_than_pictures_are_refused(lay):
    with pytest.raises(GraftError, match=r"not more than the 8 pictures in .*; got 9 labels in"):
        read_label_line(lay("OMOMOMOMO"))


@pytest.mark.parametrize("text", ["", " \n\t\r\n"])
def test_no_character_at_all_is_refused(lay, text):
    with pytest.raises(GraftError, match="got 0 labels"):
        read_label_line(lay(text))


def test_labels_without_pictures_are_refused(lay):
    with pytest.raises(GraftError, match=r"no pictures for the 2 labels in .*; put them beside it"):
        read_label_line(lay("OM", {"readme.txt": b""}))


def test_white_space_and_a_byte_order_mark_mean_nothing(lay, get_facts):
    plain = get_facts(read_label_line(lay("OMOM"), class_names=NAMES))
    spaced = read_label_line(lay("\ufeffO M\r\n\tO\u2003M\n"), class_names=NAMES)
    assert get_facts(spaced) == plain


def test_an_unknown_character_is_named_with_its_position(lay):
    with pytest.raises(GraftError, match=r"character 3 of .*; allowed are O, M; got 'o'$"):
        read_label_line(lay("OM\noM"), class_names=NAMES)


@pytest.mark.parametrize("text", ["O,M,O", "O;", "\x1b[31m", "O\x00", "<html>"])
def test_without_names_only_letters_and_digits_are_labels(lay, text):
    with pytest.raises(GraftError, match=r"is no label; allowed|not text in utf-8"):
        read_label_line(lay(text))


def test_digits_may_be_given_names(lay, get_facts):
    labels = get_facts(read_label_line(lay("01"), class_names={0: "old", 1: "modern"}))
    assert [labels["bed_1.jpg"], labels["bed_2.jpg"]] == ["old", "modern"]


@pytest.mark.parametrize("names", [{"OM": "x"}, {"": "x"}, {" ": "x"}, {"O": " "}, {True: "x"}])
def test_names_of_anything_but_characters_are_refused(lay, names):
    with pytest.raises(GraftError, match="class_names gives each character a name"):
        read_label_line(lay("O"), class_names=names)


def test_names_that_are_a_list_are_refused(lay):
    with pytest.raises(GraftError, match=r"must be such as \{O: old, M: modern\}; got \['O'\]$"):
        read_label_line(lay("O"), class_names=["O"])


def test_files_that_are_no_pictures_are_not_counted_but_kept(lay, get_facts):
    files = {"a_notes.txt": b"", ".bed_0.jpg": b"", "bed_0.jpg.part": b"", **ROOMS}
    labels = get_facts(read_label_line(lay("OMOMOMOM", files), class_names=NAMES))
    assert labels["a_notes.txt"] is None
    assert labels["bed_0.jpg.part"] is None
    assert labels["bed_1.jpg"] == "old"


def test_the_pictures_may_lie_in_another_folder_or_an_archive(lay, pack_zip, get_facts):
    path = lay("OMOMOMOM", {})
    labels = get_facts(read_label_line(path, pack_zip(ROOMS), NAMES))
    assert list(labels) == list(ROOMS)
    assert labels["bed_100.jpg"] == "modern"


def test_a_missing_file_of_labels_is_refused(pack_folder):
    path = pack_folder(ROOMS)
    with pytest.raises(GraftError, match=r"one character a picture; give one that exists; got"):
        read_label_line(path / "labels.txt")


@pytest.mark.parametrize("content", [b"\xff\xfeO", b"O\xe9", b"\x80"])
def test_bytes_that_are_no_text_are_refused_in_one_line(lay, content):
    with pytest.raises(GraftError, match=r"is not text in utf") as error:
        read_label_line(lay(content))
    assert "\n" not in str(error.value)


def test_natural_order_counts_zeros_and_numbers_of_any_length():
    names = ["a1b2", "a1b10", "a2", "a010", "a10", "a" + "9" * 9_000, "b1"]
    assert sorted(sorted(names), key=natural_key) == names


@given(st.lists(st.text("0129ab.", max_size=6), unique=True, max_size=8), st.randoms())
def test_natural_order_does_not_depend_on_where_it_began(names, random):
    shuffled = random.sample(names, len(names))
    assert sorted(names, key=natural_key) == sorted(shuffled, key=natural_key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=10) | st.text("OM \n", max_size=10))
def test_any_text_gives_its_labels_back_or_one_line(lay, get_facts, attempt, text):
    source = attempt(read_label_line, lay(text.encode("utf-8", "replace")))
    if source is not None:
        labels = get_facts(source)
        found = [labels[name] for name in sorted(ROOMS, key=natural_key)]
        assert "".join(filter(None, found)) == "".join(text.split()).lstrip("\ufeff")


@pytest.mark.shared
def test_the_451_real_labels_are_taken_for_numbered_rooms(shared, tmp_path, get_facts):
    names = [f"bed_{number}.jpg" for number in range(1, 1_500, 3)]
    for name in names:
        (tmp_path / name).touch()
    path = shared / "data" / "house_rooms" / "labels.txt"
    labels = get_facts(read_label_line(path, tmp_path, NAMES))
    letters = {"old": "O", "modern": "M", None: ""}
    assert "".join(letters[labels[name]] for name in names) == path.read_text().strip()
