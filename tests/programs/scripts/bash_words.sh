# SPDX-License-Identifier: Apache-2.0
# As shell_words.sh, for what only bash has: process substitution, coprocesses, pipe statuses, arrays, here-strings.
set -o pipefail
seq 1 20000 | sort -R --random-source=/dev/zero | sort -n | awk '{ s += $1 } END { print s }'
for i in $(seq 1 40); do
  (echo "$i"; exit $((i % 3))) | cat
  echo "${PIPESTATUS[*]}"
done | sha256sum
coproc cat
echo to the coprocess >&"${COPROC[1]}"
read -r -u "${COPROC[0]}" line
echo "got $line"
kill "$COPROC_PID"
wait
diff <(seq 10) <(seq 2 11)
exec 3<<< 'a here-string'
cat <&3
words=($(printf '%s\n' c b a | sort))
echo "${#words[@]} ${words[*]}"
false | true
echo "pipefail $?"
for i in 1 2 3; do sleep 0.1 & done
wait -n
echo "one of them $?"
wait
[[ $(echo abc123 | grep -o '[0-9]*') =~ ^([0-9])2 ]] && echo "${BASH_REMATCH[1]}"
mapfile -t lines < <(seq 5)
echo "${#lines[@]}"
