"""Splits of sessions that ceilings are made of: by hand, by the rules that no split may break."""

from __future__ import annotations

import datetime
import re
from types import SimpleNamespace

import pytest

from mesodecode.base.files import UserError
from mesodecode.study import ceilings, session_dates
from mesodecode.study import study as studies
from mesodecode.study.ceilings import Member, SessionSplit

LINEAR = {"model": "logistic_regression"}
GRU = {"input": "rois", "rnn": "gru"}
MICE = {
    "a": ["20240101a", "20240102a", "20240109a", "20240115a"],
    "b": ["20240101b", "20240103b", "20240109b"],
    "c": ["20240102c", "20240104c", "20240110c"],
    "d": ["20240102d"],
}
BY_NAME = {"session_start": "%Y%m%d"}


def config(**change):
    return {
        "study": "s",
        "recordings": {key: "{session}.mat" for key in ("movie", "behavior", "rois")},
        "mice": MICE,
        "allocation": {"train": 1},
        "decoders": {"linear": LINEAR, "gru": GRU},
        "ceilings": {"decoders": ["linear", "gru"]},
        "nwb": BY_NAME,
    } | change


def roles(splits, name):
    """Sessions that train and choose, by the day of the month and the mouse."""
    split = splits[name]
    return [[one.session[6:] for one in role] for role in (split.train, split.valid)]


def test_arms_of_a_decoder_that_chooses_nothing_by_hand():
    splits = studies.resolve(config()).ceilings["linear"]
    # of the other sessions of mouse a one is a day before the tested one, two are 7 and 13 after
    assert roles(splits, "own.test-20240102a") == [["01a", "09a", "15a"], []]
    assert roles(splits, "own_near.test-20240102a") == [["01a"], []]
    assert roles(splits, "own_far.test-20240102a") == [["15a"], []]
    # its sessions are 1, 7 and 13 days away: of each other mouse one that is 1, 8 and 0 days away
    assert roles(splits, "others_equal.test-20240102a") == [["01b", "10c", "02d"], []]
    # of other mice the nearest to 1 and to 13 days away
    assert roles(splits, "others_near.test-20240102a") == [["01b"], []]
    assert roles(splits, "others_far.test-20240102a") == [["10c"], []]
    # d has one session: it trains others and is not tested
    assert not [name for name in splits if name.endswith("d")]


def test_arms_of_a_network_choose_by_a_session_that_does_nothing_else():
    splits = studies.resolve(config()).ceilings["gru"]
    assert roles(splits, "own.test-20240102a") == [["01a", "15a"], ["09a"]]
    assert roles(splits, "own.test-20240115a") == [["02a", "09a"], ["01a"]]
    trained, chosen = roles(splits, "others_equal.test-20240115a")
    assert chosen == ["01b"]  # mouse b follows a, and so trains nothing; of three the fourth
    assert roles(splits, "others_equal.test-20240102a")[1] == ["03b"]  # the second, as of a
    assert sorted(name[2:] for name in trained) == ["c", "d"]
    assert roles(splits, "others_equal.test-20240110c")[1] == ["02d"]  # d follows c
    trained, chosen = roles(splits, "others_equal.test-20240103b")
    assert [name[2:] for name in chosen] == ["c"] and {name[2:] for name in trained} <= {*"ad"}


@pytest.mark.parametrize("name", ["linear", "gru"])
def test_no_split_breaks_a_rule(name):
    study = studies.resolve(config())
    days = study.dates
    for split in study.ceilings[name].values():
        (test,) = split.test
        others = [*split.train, *split.valid]
        assert test not in others and len({*others}) == len(others)
        mice = {one.mouse for one in others}
        if split.arm.startswith("own"):
            assert mice == {test.mouse}
        else:
            assert test.mouse not in mice
            assert not {v.mouse for v in split.valid} & {t.mouse for t in split.train}
        assert len(split.valid) == (name == "gru")
        own = study.ceilings[name][f"own.test-{test.session}"]
        if split.arm == "others_equal":
            assert len(split.train) == len(own.train)
        if split.arm.endswith("far"):
            near = study.ceilings[name][split.id.replace("far", "near")]
            assert len(near.train) == len(split.train) == len(own.train) // 2

            def away(one, test=test):
                return abs((days[one.session] - days[test.session]).days)

            assert max(map(away, near.train)) < min(map(away, split.train))


def test_sessions_as_far_as_others_are_neither_near_nor_far():
    days = ("10", "11", "17", "03", "23")  # 1, 7, 7 and 13 days from the first
    mice = MICE | {"a": [f"202401{day}a" for day in days]}
    splits = studies.resolve(config(mice=mice)).ceilings["linear"]
    assert not [name for name in splits if re.match("own_(near|far).test-20240110a", name)]
    mice["a"][2] = "20240118a"  # 8 days away
    splits = studies.resolve(config(mice=mice)).ceilings["linear"]
    assert roles(splits, "own_near.test-20240110a") == [["11a", "03a"], []]
    assert roles(splits, "own_far.test-20240110a") == [["18a", "23a"], []]


def test_without_days_or_on_one_day_nothing_is_near_or_far(tmp_path):
    for nwb in ({}, {"session_start": None}):
        found = studies.resolve(config(nwb=nwb)).ceilings["linear"]
        assert {split.arm for split in found.values()} == {"own", "others_equal"}
    table = tmp_path / "sessions.tsv"
    names = [name for names in MICE.values() for name in names]
    rows = "".join(f"{name}\t2024-01-0{i % 2 + 1}T10:00\n" for i, name in enumerate(names))
    table.write_text("session\tsession_start_time\n" + rows.replace("-02T", "-01T"))
    found = studies.resolve(config(nwb={"sessions": str(table)})).ceilings["linear"]
    assert {split.arm for split in found.values()} == {"own", "others_equal"}


def test_sessions_of_others_without_a_day_are_neither_near_nor_far(tmp_path):
    days = {name: name[6:8] for names in MICE.values() for name in names if name != "20240101b"}
    lines = [f"{name}\t2024-01-{day}T10:00\n" for name, day in days.items()]
    (tmp_path / "t.tsv").write_text("session\tsession_start_time\n" + "".join(lines))
    splits = studies.resolve(config(nwb={"sessions": str(tmp_path / "t.tsv")})).ceilings["linear"]
    # as by names, but for the session of mouse b that is as near as the mouse's own
    assert roles(splits, "others_near.test-20240102a") == [["03b"], []]
    assert roles(splits, "others_far.test-20240102a") == [["10c"], []]


def test_days_come_from_a_table_before_names_and_may_be_missing(tmp_path):
    table = tmp_path / "sessions.csv"
    table.write_text(
        "session,sex,session_start_time\n20240101a,F,2023-12-31T23:00:00-05:00\n20240102a,F,\n"
        "b/20240101b,M,2024-02-03\nelse,F,2024-01-01\n"
    )
    study = studies.resolve(config(nwb={"sessions": str(table)}))
    assert study.dates == {
        "20240101a": datetime.date(2023, 12, 31),  # by the clock at its place
        "20240101b": datetime.date(2024, 2, 3),
    }
    both = studies.resolve(config(nwb=BY_NAME | {"sessions": str(table)}))
    assert both.dates["20240101a"] == datetime.date(2023, 12, 31)
    assert both.dates["20240104c"] == datetime.date(2024, 1, 4)
    assert "20240102a" not in both.dates  # its cell says that nobody knows


def test_a_line_that_lacks_cells_knows_no_day(tmp_path):
    table = tmp_path / "sessions.tsv"
    table.write_text("session_start_time\tsession\n2024-01-01\n2024-01-02\t20240101a\n\n")
    study = studies.resolve(config(nwb={"sessions": str(table)}))
    assert study.dates == {"20240101a": datetime.date(2024, 1, 2)}


@pytest.mark.parametrize(("name", "separator"), [("S.CSV", ","), ("s.csv", ","), ("s.txt", "\t")])
def test_a_table_as_excel_saves_it_tells_days(tmp_path, name, separator):
    """It begins with the mark of UTF-8; names of columns may have spaces around them."""
    rows = [("session", " session_start_time "), ("20240101a", "2024-01-02")]
    table = tmp_path / name
    table.write_text("\r\n".join(separator.join(row) for row in rows), encoding="utf-8-sig")
    study = studies.resolve(config(nwb={"sessions": str(table)}))
    assert study.dates == {"20240101a": datetime.date(2024, 1, 2)}


@pytest.mark.parametrize(("pattern", "what"), [("%m%d", "year"), ("%H%M", "year"), ("%Y", "day")])
def test_a_pattern_that_tells_no_whole_date_is_refused(pattern, what):
    """By day and month alone, New Year's Eve and New Year's Day would be 364 days apart."""
    mice = {mouse: [f"1231{mouse}", f"0101{mouse}", f"0102{mouse}"] for mouse in "abc"}
    study = studies.resolve(config(mice=mice, nwb={"session_start": pattern}))
    with pytest.raises(UserError, match=f"nwb.session_start: '{pattern}' tells no {what}; write"):
        _ = study.ceilings


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("2024111", "%Y%m%d"),
        ("01012024", "%d%m%y"),
        ("01011998", "%d%m%y"),
        ("112024_a", "%d%m%Y"),
    ],
)
def test_digits_that_may_be_another_day_are_refused(name, pattern):
    with pytest.raises(UserError, match=rf"'{name}' is not a date as in '{pattern}' without doubt"):
        session_dates.of_name(name, pattern)


@pytest.mark.parametrize(
    ("name", "pattern", "day"),
    [
        ("2024-1-11", "%Y-%m-%d", (2024, 1, 11)),
        ("202401111430", "%Y%m%d", (2024, 1, 11)),
        ("11012401", "%d%m%y", (2024, 1, 11)),  # the first session of a day
        ("110120_02", "%d%m%y", (2020, 1, 11)),
        ("1101201_a", "%d%m%y", (2020, 1, 11)),  # 201_ is no year
    ],
)
def test_a_name_begins_with_its_day(name, pattern, day):
    assert session_dates.of_name(name, pattern).date() == datetime.date(*day)


def test_days_are_counted_over_the_end_of_a_year():
    days = ("311223", "010124", "090124")
    mice = {mouse: [f"{day}_{mouse}" for day in days] for mouse in "abc"}
    found = studies.resolve(config(mice=mice, nwb={"session_start": "%d%m%y"})).ceilings["linear"]
    for arm, day in (("own_near", "010124_a"), ("own_far", "090124_a")):
        assert [one.session for one in found[f"{arm}.test-311223_a"].train] == [day]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "config: nwb.sessions: no file"),
        ("name\tday\nx\t1\n", "no column session; the columns are name, day"),
        ("session\tsession_start_time\n20240101a\t1.2.24\n", "session 20240101a: session_start_ti"),
        ("session\n20240101a\n20240101a\n", "session '20240101a' is there twice"),
        ("session\n20240101a\na/20240101a\n", "session 'a/20240101a' is there twice; keep one row"),
        ("session\tsex\n20240101a\té\n".encode("utf-16"), "not a TSV or CSV table in UTF-8"),
        ("session\tnote\n20240101a\t" + "x" * 140000, "not a TSV or CSV table in UTF-8"),
        (b"PK\x03\x04\xff\xfe", "not a TSV or CSV table in UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, text, words):
    table = tmp_path / "sessions.tsv"
    if text:
        table.write_bytes(text if isinstance(text, bytes) else text.encode())
    study = studies.resolve(config(nwb={"sessions": str(table)}))
    with pytest.raises(UserError) as caught:
        _ = study.ceilings
    assert words in str(caught.value) and str(table) in str(caught.value)
    _ = studies.resolve(config(nwb={"sessions": str(table)}, ceilings={})).ceilings  # not read


def split(arm="own", train=("a/1",), valid=(), test=("a/2",)):
    given = (tuple(Member(*word.split("/")) for word in role) for role in (train, valid, test))
    return SessionSplit(arm, *given)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"train": ("a/1", "a/2")}, "session 2 has two roles"),
        ({"valid": ("a/1",)}, "session 1 has two roles"),
        ({"valid": ("a/2",)}, "session 2 has two roles"),
        ({"train": ("a/1", "a/1")}, "session 1 has two roles"),
        ({"train": ("b/2",)}, "session 2 has two roles"),  # of whatever mouse
        ({"train": ("a/1", "b/3")}, "sessions of several mice"),
        ({"arm": "others_equal", "train": ("b/1", "a/3")}, "a mouse has two roles"),
        ({"arm": "others_far", "train": ("b/1",), "valid": ("a/3",)}, "a mouse has two roles"),
        ({"arm": "others_near", "train": ("b/1",), "valid": ("b/3",)}, "a mouse has two roles"),
        ({"test": ("a/2", "a/3")}, "needs sessions to train on, and one to test"),
        ({"train": ()}, "needs sessions to train on"),
        ({"arm": "trial"}, "needs sessions to train on"),
    ],
)
def test_a_session_or_mouse_with_two_roles_is_refused(roles, words):
    with pytest.raises(UserError, match=words):
        split(**roles)


def test_splits_that_are_allowed():
    assert split(valid=("a/3",)).id == "own.test-2"
    split(arm="others_near", train=("b/1", "c/3"), valid=("d/4",))


one_each = {mouse: [f"{mouse}1"] for mouse in "abcd"}
BAD = [
    ({"ceilings": {"decoders": ["x"]}}, "ceilings.decoders: no decoder 'x'; known: linear, gru"),
    ({"ceilings": {"decoder": ["gru"]}}, "ceilings.decoder: no such key; did you mean 'decoders'?"),
    *[
        (
            {"ceilings": {"decoders": ["gru"], "split": how}},
            f"ceilings.split: '{how}' would test frames of a session that was trained on",
        )
        for how in ("trial", "frame", "block")
    ],
    ({"mice": one_each}, "'linear' needs 3 mice or more, for an interval over mice, with two"),
    ({"mice": one_each}, "others to train on) or more each; there are none; add sessions"),
    ({"mice": one_each | {"a": MICE["a"]}}, "there is a; add sessions"),
    ({"mice": MICE | {"c": ["c1"]}}, "there are a, b; add sessions, or leave 'linear' out"),
    (
        {"mice": MICE | {"c": ["c1", "c2"]}},
        "'gru' needs 3 mice or more, for an interval over mice, with three",
    ),
    ({"exclude": {"20240101b": "x", "20240103b": "x"}}, "there are a, c; add sessions"),
    (
        {"decoders": {"cnn": {}, "linear": {"start_from": "cnn", "rnn": "gru"}, "gru": GRU}},
        "'linear' is a recurrent network on a CNN; only decoders that are trained in one step",
    ),
    (
        {"decoders": {"linear": {"adapted_from": "gru", "normalise": "past"}, "gru": GRU}},
        "'linear' is a decoder applied in another way; only",
    ),
    (
        {"decoders": {"gru": GRU, "linear": {"average_of": ["gru", "two"]}, "two": GRU}},
        "'linear' is an average of decoders; only",
    ),
    (
        {
            "mice": MICE | {"d": ["d1", "d2"]},
            "decoders": {
                "linear": LINEAR | {"causal": True, "normalise_from": "reference"},
                "gru": GRU,
            },
        },
        "'linear' is normalised by a reference session of its mouse, which is never scored; name",
    ),
    (
        {"tune": {"gru": {"search": {"hidden_size": [8, 64]}}}},
        "'gru' has other settings for each test mouse (tune.gru)",
    ),
    (
        {
            "mice": MICE | {"d": ["d1", "d2"]},
            "decoders": {"linear": LINEAR | {"labels": "permuted_between_sessions"}, "gru": GRU},
        },
        "'linear' has permuted labels, and is at chance",
    ),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_what_has_no_ceiling_is_refused_in_one_line(change, words):
    with pytest.raises(UserError) as caught:
        studies.resolve(config(**change))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("config: ceilings.")


def test_without_days_places_in_the_list_stand_for_them():
    mice = {m: [f"{m}{i}" for i in range(4)] for m in "abc"}
    found = {one.id: one.train for one in ceilings.splits(mice, {}, False, {})}
    # a1, a2 and a3 are one, two and three places after a0; b comes first, then c and b
    assert [one.session for one in found["others_equal.test-a0"]] == ["b1", "c2", "b3"]
    assert [one.session for one in found["others_equal.test-a3"]] == ["c0", "b1", "c2"]


def test_fewer_sessions_of_other_mice_leave_an_arm_out():
    mice = {"a": [f"a{i}" for i in range(9)], "b": ["b1", "b2"], "c": ["c1", "c2"]}
    arms = [one.arm + one.test[0].mouse for one in ceilings.splits(mice, {}, False, {})]
    assert "others_equala" not in arms and "others_equalb" in arms and "owna" in arms


def test_other_mice_are_of_the_same_cohort():
    """Else own sessions would seem to be worth what two labs differ in."""
    mice = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcdx"}
    cohorts = {"lab": ["a", "c"], "rig": ["b", "d"], "alone": ["x"]}
    lab = config(mice=mice, cohorts=cohorts, nwb={}, ceilings={"decoders": ["linear"]})
    study = studies.resolve(lab)
    lab_of = {mouse: name for name, members in cohorts.items() for mouse in members}
    found = study.ceilings["linear"].values()
    for split in found:
        assert {lab_of[one.mouse] for one in (*split.train, *split.test)} == {
            lab_of[split.test[0].mouse]
        }
    arms = [split.arm for split in found]
    assert arms.count("own") == 10 and arms.count("others_equal") == 8  # x has no other mouse


def test_simulated_sessions_know_their_day():
    given = {key: value for key, value in config().items() if key != "recordings"}
    study = studies.resolve(given | {"simulate": {"signal_drift": 0.01}})
    days = {name: study.simulation(name)["day"] for name in ("20240101a", "20240110c")}
    assert days == {"20240101a": 0, "20240110c": 9}
    table = {"nwb": {"sessions": "sessions.tsv"}}  # which says the days, too
    assert studies.resolve(given | {"simulate": {"signal_drift": 0.01}} | table)
    still = studies.resolve(given | {"simulate": {}})
    assert still.simulation("20240110c")["day"] == 0
    with pytest.raises(UserError, match=r"simulate\.signal_drift: goes by the days of sessions"):
        studies.resolve(given | {"simulate": {"signal_drift": 0.01}, "nwb": {}})


def test_a_session_of_others_stands_for_one_of_the_mouse_only():
    near, far = (SimpleNamespace(mouse="m2", day=day) for day in (1, 9))
    wanted = [SimpleNamespace(mouse="m1", day=1)] * 2

    def days(one, each, taken):
        return abs(one.day - each.day), taken

    assert ceilings._matched(wanted, [far, near], days) == [near, far]
    assert ceilings._matched(wanted, [near], days) == []
