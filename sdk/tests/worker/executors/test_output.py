"""What is streamed of an output: its bytes, in whole characters."""

from __future__ import annotations

from pathlib import Path

from rescind.model.output import OutputPiece
from rescind.worker.executors.output import Allowance, Output, OutputFile


def streamed(*written: bytes) -> list[OutputPiece]:
    """What is streamed when these are written, with a pause behind each."""
    pieces: list[OutputPiece] = []
    output = Output("stdout", pieces.append, Allowance(lambda: 0.0), OutputFile(Path, most=0))
    for data in written:
        output.feed(data)
        output.flush(unfinished=True)
    output.finish()
    return pieces


def test_a_character_that_comes_in_two_pieces_is_streamed_whole() -> None:
    euro = "€".encode()
    assert streamed(b"a" + euro[:1], euro[1:2], euro[2:] + b"b") == [
        OutputPiece("stdout", "a"),
        OutputPiece("stdout", "€b"),
    ]


def test_a_character_that_does_not_go_on_is_streamed_at_the_end() -> None:
    (first, last) = streamed(b"a\xe2\x82")
    assert (first.text, last.text, last.data) == ("a", "\ufffd", b"\xe2\x82")


def test_a_long_line_is_divided_between_characters() -> None:
    pieces = streamed(("ä" * 50_000).encode())
    assert {piece.base64 for piece in pieces} == {None}
    assert "".join(piece.text for piece in pieces) == "ä" * 50_000


def test_what_is_no_utf8_is_shown_replaced_and_has_its_bytes_beside_it() -> None:
    (piece,) = streamed(b"a\xff\xfeb\n")
    assert (piece.text, piece.base64, piece.data) == ("a\ufffd\ufffdb\n", b"a\xff\xfeb\n", b"a\xff\xfeb\n")
