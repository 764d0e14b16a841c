"""Commands whose output is known: each kind is a script, and the whole of what it may ever write.

A kind is given a name, which is in every line, and a generator of random numbers. It answers the
script, the code that it ends with (None: it does not end), and what yields each stream's bytes.
"""

import itertools


def lines(text, count=None):
    """`text` with a number in it, line by line, as an endless or counted row."""
    step = 1000
    starts = itertools.count(1, step) if count is None else range(1, count + 1, step)
    for start in starts:
        end = start + step if count is None else min(start + step, count + 1)
        yield b"".join(b"%b %d\n" % (text, number) for number in range(start, end))


def ticker(name, _):
    # With somebody in the background that no broken pipe ends.
    script = (
        "(setsid sleep 600 > /dev/null 2>&1 &); i=0; while :; do i=$((i+1)); "
        f'echo "{name} $i"; echo "E{name} $i" >&2; done'
    )
    return script, None, {s: lambda p=p: lines(p) for s, p in both(name)}


def burst(name, rng, lines_max=20_000):
    count, code = rng.randrange(1, lines_max), rng.randrange(7)
    script = (
        f'seq -f "{name} %.0f" {count}; seq -f "E{name} %.0f" {count} >&2; exit {code}'
    )
    return script, code, {s: lambda p=p: lines(p, count) for s, p in both(name)}


def flood(name, rng, bytes_max=4 << 20):
    size = rng.randrange(bytes_max >> 2, bytes_max)
    script = (
        f'yes "{name}" | head -c {size} & yes "E{name}" | head -c {size} >&2; wait; exit 3'
    )
    def pattern(text):
        line = text + b"\n"
        return [(line * (size // len(line) + 1))[:size]]
    return script, 3, {s: lambda p=p: pattern(p) for s, p in both(name)}


def both(name):
    return (("stdout", name.encode()), ("stderr", b"E" + name.encode()))


KINDS = (ticker, burst, flood)


def is_prefix(data, pattern):
    """Whether `data` is what the pieces of `pattern` begin with."""
    at = 0
    for piece in pattern:
        if at >= len(data):
            return True
        rest = data[at : at + len(piece)]
        if rest != piece[: len(rest)]:
            return False
        at += len(piece)
    return at >= len(data)
