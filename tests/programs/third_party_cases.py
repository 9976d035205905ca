# SPDX-License-Identifier: Apache-2.0
"""Programs that others wrote, as Debian ships them: unmodified, each about a second natively."""

from program_case import Case, only_lines

kFour = (("OMP_NUM_THREADS", "4"), ("OPENBLAS_NUM_THREADS", "4"))

kCases = (
    Case("pigz", ("/usr/bin/pigz", "-p", "4", "-k", "-n", "text"), inputs=(("text_96m", "text"),),
         outputs=("text.gz",), at_four=True),
    Case("pbzip2", ("/usr/bin/pbzip2", "-p4", "-k", "-q", "text"), inputs=(("text_40m", "text"),),
         outputs=("text.bz2",)),
    Case("zstd", ("/usr/bin/zstd", "-q", "-T4", "-11", "-k", "text"), inputs=(("text_40m", "text"),),
         outputs=("text.zst",)),
    Case("xz", ("/usr/bin/xz", "-T4", "-2", "--block-size=1MiB", "-k", "text"),
         inputs=(("text_24m", "text"),), outputs=("text.xz",)),
    Case("sort", ("/usr/bin/sort", "--parallel=4", "-S", "600M", "-V", "-o", "sorted", "lines"),
         inputs=(("log_lines", "lines"),), outputs=("sorted",), at_four=True),
    Case("minimap2", ("/usr/bin/minimap2", "-t", "4", "-x", "map-ont", "-c", "genome.fa", "reads.fa"),
         inputs=(("genome_fa", "genome.fa"), ("reads_fa", "reads.fa")), at_four=True),
    Case("primesieve", ("/usr/bin/primesieve", "24e9", "-t4", "-q", "--count")),
    Case("clustalo", ("/usr/bin/clustalo", "-i", "proteins.fa", "-o", "aligned.fa", "--threads=4"),
         inputs=(("proteins_fa", "proteins.fa"),), outputs=("aligned.fa",), env=kFour),
    Case("gm-convert", ("/usr/bin/gm", "convert", "picture.ppm", "-blur", "0x3", "-unsharp", "0x1",
                        "-resize", "70%", "result.ppm"),
         inputs=(("picture_ppm", "picture.ppm"),), outputs=("result.ppm",), env=kFour),
    Case("python-threads", ("/usr/bin/python3", "{here}/scripts/hash_threads.py")),
    Case("numpy-openblas", ("/usr/bin/python3", "{here}/scripts/blas_product.py"), env=kFour),
    Case("sysbench-mutex", ("/usr/bin/sysbench", "mutex", "--threads=4", "--mutex-num=64",
                            "--mutex-locks=2500", "--mutex-loops=900000", "run"),
         normalise=only_lines(r"sysbench 1|Number of threads|total number of events|"
                              r"events \(avg/stddev\)")),
)
