"""The kernel of a page: products of vectors and a matrix with 128-bit instructions, as a module of WebAssembly.

Assembled here instruction by instruction, so that a page needs neither a compiler nor a file of binary code. Two functions,
``one`` and ``four``, multiply one vector, or four that share every weight read, by all rows of a matrix. Their arguments are
the addresses of vectors, matrix and results, the numbers of columns and rows, and the numbers between the results of two
vectors. Opcodes are those of the WebAssembly core
specification 2.0, sec. 5.4.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import cache

_I32, _F32, _V128 = 0x7F, 0x7D, 0x7B
_INPUTS, _WEIGHTS, _RESULTS, _COLUMNS, _ROWS, _SPREAD = range(6)
"""Arguments of both functions."""
_STRIDE, _WHOLE, _ROW, _OFFSET = range(6, 10)
"""Bytes of a vector, its bytes that are read by fours, the row of the matrix, and the offset within a vector."""
_VECTOR, _MATRIX_ROW = 10, 14
"""Addresses of up to four vectors, and of up to four rows of the matrix."""
_FIRST_FREE = 18
_LANE_BYTES, _NUMBER_BYTES = 16, 4

Code = bytes


@cache
def kernel() -> str:
    """Return the module in base64."""
    functions = {"one": _function(1, 4), "four": _function(4, 2)}
    signature = bytes([0x60]) + _vector([bytes([_I32])] * 6) + _vector([])
    exports = [_name(name) + bytes([0x00, index]) for index, name in enumerate(functions)]
    module = b"\0asm\1\0\0\0" + b"".join(
        (
            _section(1, [signature]),
            _section(2, [_name("page") + _name("memory") + b"\x02\x00\x01"]),
            _section(3, [b"\x00"] * len(functions)),
            _section(7, exports),
            _section(10, [_number(len(code)) + code for code in functions.values()]),
        )
    )
    return base64.b64encode(module).decode()


def _function(vectors: int, rows: int) -> Code:
    """Return a function for some vectors, which reads several rows of the matrix at a time and then the remaining ones."""
    accumulators = vectors * rows
    counts = [(_FIRST_FREE - _STRIDE, _I32), (2 * accumulators + vectors + 1, _V128), (accumulators, _F32)]
    local_types = _vector([_number(count) + bytes([kind]) for count, kind in counts])
    body = [
        _set(_STRIDE, _get(_COLUMNS), _constant(2), b"\x74"),  # shl
        _set(_WHOLE, _get(_STRIDE), _constant(-_LANE_BYTES), b"\x71"),  # and
        _while(_get(_ROW), _constant(rows), b"\x6a", _get(_ROWS), b"\x4d", body=_block(vectors, rows)),  # add, le_u
        _while(_get(_ROW), _get(_ROWS), b"\x49", body=_block(vectors, 1)),  # lt_u
    ]
    return local_types + b"".join(body) + b"\x0b"


def _block(vectors: int, rows: int) -> Code:
    """Multiply ``vectors`` by the next ``rows`` of the matrix."""
    pairs = [(vector, row) for vector in range(vectors) for row in range(rows)]
    accumulator = {pair: _FIRST_FREE + index for index, pair in enumerate(pairs)}
    # The locals of the largest block come first; those of a block of one row are among them.
    loaded = {vector: _FIRST_FREE + _largest(vectors) + vector for vector in range(vectors)}
    weight = _FIRST_FREE + _largest(vectors) + vectors
    total = {pair: _FIRST_FREE + 2 * _largest(vectors) + vectors + 1 + index for index, pair in enumerate(pairs)}
    zero = b"\xfd\x0c" + bytes(_LANE_BYTES)
    lanes = [_set(loaded[vector], _address(_VECTOR + vector), _simd(0x00), b"\x00\x00") for vector in range(vectors)]
    for row in range(rows):
        lanes.append(_set(weight, _address(_MATRIX_ROW + row), _simd(0x00), b"\x00\x00"))  # v128.load
        for vector in range(vectors):
            place = accumulator[vector, row]
            product = _get(loaded[vector]) + _get(weight) + _simd(0xE6)  # f32x4.mul
            lanes.append(_set(place, _get(place), product, _simd(0xE4)))  # f32x4.add
    tail = [
        _set(
            total[vector, row],
            _get(total[vector, row]),
            _address(_VECTOR + vector) + b"\x2a\x02\x00",  # f32.load
            _address(_MATRIX_ROW + row) + b"\x2a\x02\x00",
            b"\x94\x92",  # mul, add
        )
        for vector, row in pairs
    ]
    return b"".join(
        (
            *(_set(_VECTOR + each, _pointer(_INPUTS, _constant(each))) for each in range(vectors)),
            *(
                _set(_MATRIX_ROW + row, _pointer(_WEIGHTS, _get(_ROW) + _constant(row) + b"\x6a"))
                for row in range(rows)
            ),
            *(_set(place, zero) for place in accumulator.values()),
            _set(_OFFSET, _constant(0)),
            _while(_get(_OFFSET), _get(_WHOLE), b"\x49", body=b"".join(lanes) + _advance(_OFFSET, _LANE_BYTES)),
            *(_set(total[pair], _lane_sum(accumulator[pair])) for pair in pairs),
            _while(_get(_OFFSET), _get(_STRIDE), b"\x49", body=b"".join(tail) + _advance(_OFFSET, _NUMBER_BYTES)),
            *(_store(total[vector, row], vector, row) for vector, row in pairs),
            _advance(_ROW, rows),
        )
    )


def _largest(vectors: int) -> int:
    """Return the number of accumulators of the function for some vectors."""
    return {1: 4, 4: 8}[vectors]


def _address(pointer: int) -> Code:
    """Return the address of the offset in a vector or a row."""
    return _get(pointer) + _get(_OFFSET) + b"\x6a"


def _pointer(array: int, number: Code) -> Code:
    """Return the address of a vector or row: ``array + number x stride``."""
    return _get(array) + number + _get(_STRIDE) + b"\x6c\x6a"


def _store(value: int, vector: int, row: int) -> Code:
    """Store a result at ``results + 4 x (vector x spread + row)``."""
    position = _constant(vector) + _get(_SPREAD) + b"\x6c" + _get(_ROW) + b"\x6a" + _constant(row) + b"\x6a"
    return _get(_RESULTS) + position + _constant(2) + b"\x74\x6a" + _get(value) + b"\x38\x02\x00"


def _lane_sum(value: int) -> Code:
    """Add the four lanes of a local."""
    lanes = [_get(value) + b"\xfd\x1f" + bytes([lane]) for lane in range(4)]
    return lanes[0] + lanes[1] + b"\x92" + lanes[2] + lanes[3] + b"\x92\x92"


def _while(*condition: Code, body: Code) -> Code:
    """Repeat while a condition holds."""
    test = b"".join(condition) + b"\x45\x0d\x01"  # eqz, br_if out of the block
    return b"\x02\x40\x03\x40" + test + body + b"\x0c\x00\x0b\x0b"


def _advance(local: int, step: int) -> Code:
    return _set(local, _get(local), _constant(step), b"\x6a")


def _get(local: int) -> Code:
    return b"\x20" + _number(local)


def _set(local: int, *value: Code) -> Code:
    return b"".join(value) + b"\x21" + _number(local)


def _simd(opcode: int) -> Code:
    return b"\xfd" + _number(opcode)


def _constant(value: int) -> Code:
    """Return an instruction that pushes a small whole number, in signed LEB128."""
    assert -64 <= value < 64
    return bytes([0x41, value & 0x7F])


def _number(value: int) -> Code:
    """Return a number in unsigned LEB128."""
    head, rest = value & 0x7F, value >> 7
    return bytes([head | 0x80]) + _number(rest) if rest else bytes([head])


def _vector(parts: Iterable[Code]) -> Code:
    items = list(parts)
    return _number(len(items)) + b"".join(items)


def _name(text: str) -> Code:
    return _vector([bytes([byte]) for byte in text.encode()])


def _section(number: int, parts: Iterable[Code]) -> Code:
    content = _vector(parts)
    return bytes([number]) + _number(len(content)) + content
