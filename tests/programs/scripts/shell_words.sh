# SPDX-License-Identifier: Apache-2.0
# What shells do with processes: pipelines, subshells, substitution, here-documents, background jobs, traps and exit statuses.
# For sh; what only bash has stands in bash_words.sh.
seq 1000 | while read -r i; do echo $((i * i)); done | md5sum
(trap 'echo leaving' EXIT; exit 3)
echo "status $?"
yes | head -500 | wc -l
cat <<END | tr a-z A-Z
a document, and $(echo a substitution with $(echo another one))
END
for i in 1 2 3 4; do (sleep 0.0$i; exit "$i") & pids="$pids $!"; done
for p in $pids; do wait "$p"; echo "job $?"; done
echo through a file > words.tmp
while read -r line; do echo "read: $line"; done < words.tmp
rm words.tmp
seq 300 | xargs -n 7 -P 2 sh -c 'echo $#' | sort | uniq -c | sort -n
trap 'echo caught' USR1
kill -USR1 $$
sh -c 'kill -TERM $$'
echo "killed $?"
exec 4>&1
(echo to the fourth >&4)
mkfifo pipe.tmp
(for i in 1 2 3; do echo "fifo $i"; done > pipe.tmp) &
cat pipe.tmp
wait
rm pipe.tmp
exit 5
