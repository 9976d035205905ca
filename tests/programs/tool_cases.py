# SPDX-License-Identifier: Apache-2.0
"""More programs that others wrote: compilers and shells, which must come to no harm, and threaded encoders."""

from program_case import Case

kShare = 0.2
_kExact = ("-flags", "+bitexact", "-fflags", "+bitexact")

kCases = (
    Case("compilers", ("/bin/sh", "{here}/scripts/compile.sh"), distributed=False),
    Case("sh-pipelines", ("/bin/sh", "{here}/scripts/shell_words.sh"), distributed=False, status=5),
    Case("bash-pipelines", ("/bin/bash", "{here}/scripts/bash_words.sh"), distributed=False),
    Case("sqlite3", ("/usr/bin/sqlite3", "-batch", "t.db", ".read {here}/scripts/database.sql"), outputs=("t.db",),
         distributed=False),
    Case("ffmpeg-encode", ("/usr/bin/ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration={size}",
                           "-c:v", "mpeg4", "-threads", "4", *_kExact, "video.avi"),
         outputs=("video.avi",), sizes=("4", "12"), remote_cpu=kShare),
    Case("ffmpeg-decode", ("/usr/bin/ffmpeg", "-v", "error", "-nostdin", "-threads", "4", "-i", "video.264", "-f", "framemd5", "-"),
         inputs=(("video_264", "video.264"),), remote_cpu=kShare),
    Case("x264", ("/usr/bin/x264", "--quiet", "--no-progress", "--threads", "4", "--frames", "{size}", "--preset", "fast",
                  "-o", "video.264", "video.y4m"),
         inputs=(("video_y4m", "video.y4m"),), outputs=("video.264",), sizes=("40", "75"), remote_cpu=kShare),
    Case("7z", ("/usr/bin/7z", "a", "-mmt=4", "-m0=BZip2", "-mx=3", "-mtm=off", "-bso0", "-bsp0", "text.7z", "text"),
         inputs=(("text_8m", "text"),), outputs=("text.7z",), remote_cpu=kShare),
)
