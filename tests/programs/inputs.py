# SPDX-License-Identifier: Apache-2.0
"""Inputs of the program tests, generated from fixed seeds and kept in the build folder.

A generator takes an open binary file. Its name is the name of the input; when what it writes
changes, raise kVersion, so that older files are not used again.
"""

import os
import random
import subprocess

kVersion = 5


def _words(out, mebibytes):
    """Prose-like text: compresses about as well as text does, with far matches."""
    rng = random.Random(11)
    letters = "etaoinshrdlcumwfgypbvk"
    vocabulary = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(20000)]
    weights = [1.0 / (rank + 8) for rank in range(len(vocabulary))]
    cumulative, total = [], 0.0
    for weight in weights:
        total += weight
        cumulative.append(total)
    left = mebibytes << 20
    while left > 0:
        chunk = rng.choices(vocabulary, cum_weights=cumulative, k=100000)
        for at in range(13, len(chunk), 13):
            chunk[at] += "\n"
        data = " ".join(chunk).encode()[:left]
        out.write(data)
        left -= len(data)


def text_8m(out):
    _words(out, 8)


def text_24m(out):
    _words(out, 24)


def text_40m(out):
    _words(out, 40)


def text_96m(out):
    _words(out, 96)


def log_lines(out, lines=150000):
    """Lines like those of a server's log, in no order, with long paths that begin alike."""
    rng = random.Random(12)
    hosts = [f"https://files.example.org/{rng.getrandbits(8)}/" + "segment/" * 12 for _ in range(3)]
    paths = [f"{rng.choice(hosts)}{rng.getrandbits(20)}" for _ in range(30000)]
    for _ in range(lines // 10000):
        out.write("".join(f"GET {rng.choice(paths)} 10.{rng.getrandbits(8)}.{rng.getrandbits(8)}.7 "
                          f"{rng.choice((200, 200, 304, 404))} {rng.getrandbits(44):x} "
                          f"\"dsm-test/1.0 (X11; Linux x86_64)\"\n"
                          for _ in range(10000)).encode())


def _bases(rng, count):
    return rng.getrandbits(8 * count).to_bytes(count, "little").translate(b"ACGT" * 64)


_kComplement = bytes.maketrans(b"ACGT", b"TGCA")
_kReferenceBases = 3000000


def _reference():
    return _bases(random.Random(13), _kReferenceBases)


def genome_fa(out):
    """A random reference of three million bases."""
    sequence = _reference()
    out.write(b">chr1\n")
    for at in range(0, len(sequence), 80):
        out.write(sequence[at:at + 80] + b"\n")


def reads_fa(out, reads=2300, length=6000):
    """Reads from the reference, one base in twelve changed, half of them from the other strand."""
    rng = random.Random(14)
    reference = _reference()
    for number in range(reads):
        start = rng.randrange(len(reference) - length)
        read = bytearray(reference[start:start + length])
        for _ in range(length // 12):
            read[rng.randrange(len(read))] = rng.choice(b"ACGT")
        if number % 2:
            read = read.translate(_kComplement)[::-1]
        out.write(b">read%d\n%s\n" % (number, bytes(read)))


def proteins_fa(out, count=8, length=1900):
    """A family of proteins: copies of copies of one ancestor, with changes, gaps and insertions."""
    rng = random.Random(15)
    acids = "ACDEFGHIKLMNPQRSTVWY"
    family = ["".join(rng.choices(acids, k=length))]
    while len(family) < count:
        sequence = list(rng.choice(family))
        for _ in range(rng.randint(8, 40)):
            at = rng.randrange(len(sequence))
            kind = rng.random()
            if kind < 0.8:
                sequence[at] = rng.choice(acids)
            elif kind < 0.9 and len(sequence) > length // 2:
                del sequence[at]
            else:
                sequence.insert(at, rng.choice(acids))
        family.append("".join(sequence))
    for number, sequence in enumerate(family):
        out.write(f">protein{number}\n{sequence}\n".encode())


def picture_ppm(out, width=4000, height=2900):
    """A colour gradient with noise."""
    rng = random.Random(16)
    out.write(b"P6\n%d %d\n255\n" % (width, height))
    for y in range(height):
        noise = rng.getrandbits(8 * width).to_bytes(width, "little")
        row = bytearray(3 * width)
        row[0::3] = bytes((x * 255 // width) for x in range(width))
        row[1::3] = bytes([y * 255 // height]) * width
        row[2::3] = noise
        out.write(row)


def _ffmpeg(out, seconds, *options):
    """Frames of a test picture in motion, from ffmpeg itself; runs natively."""
    subprocess.run(["/usr/bin/ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", f"testsrc2=size=480x272:rate=25:duration={seconds}",
                    "-threads", "1", "-pix_fmt", "yuv420p", *options, "-"], stdout=out, stdin=subprocess.DEVNULL, check=True)


def video_y4m(out):
    _ffmpeg(out, 3, "-f", "yuv4mpegpipe")


def video_264(out):
    _ffmpeg(out, 6, "-c:v", "libx264", "-preset", "fast", "-f", "h264")


kGenerators = {f.__name__: f for f in (text_8m, text_24m, text_40m, text_96m, log_lines, genome_fa,
                                       reads_fa, proteins_fa, picture_ppm, video_y4m, video_264)}


def input_path(folder, name):
    """The path of the input `name` under `folder`, generated now if it is not there."""
    path = os.path.join(folder, f"{name}.v{kVersion}")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        unfinished = f"{path}.{os.getpid()}.tmp"
        with open(unfinished, "wb") as out:
            kGenerators[name](out)
        os.rename(unfinished, path)
    return path
