"""`rescind audit`: who asked for what."""

from __future__ import annotations

from sdk.tests.cli.programs import Programs, refused


def test_who_asked_for_what_is_listed_with_why_and_the_result(served: Programs) -> None:
    served.json("start", "waits", "--id", "w-1")
    served.json("cancel", "w-1", "--reason", "wrong file", "--hard")
    served.json("cancel", "w-1", "--reason", "again", code=0)
    shown = served.json("audit", "--execution", "w-1", "--since", "1h")
    assert [(each["action"], each["result"], each["reason"]) for each in shown["requests"]] == [
        ("CANCEL", "ALREADY_CANCELLED", "again"),
        ("CANCEL", "CANCELLED", "wrong file"),
        ("START", "CREATED", None),
    ]
    assert shown["more"] is False
    who = shown["requests"][0]["who"]
    assert who.startswith("client:")
    assert len(served.json("audit", "--who", who)["requests"]) == 3
    assert served.json("audit", "--who", "nobody")["requests"] == []

    heading, *rows = served.run("audit", "--limit", "2").stdout.splitlines()
    assert heading.split() == ["AT", "WHO", "WHAT", "ABOUT", "RESULT", "WHY"]
    assert rows[1].endswith("CANCELLED          wrong file")


def test_what_is_no_length_of_time_is_refused(served: Programs) -> None:
    assert "is no length of time" in refused(served.run("audit", "--since", "soon"), 2)
