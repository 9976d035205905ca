# SPDX-License-Identifier: Apache-2.0
# gcc and g++, which drive cc1, cc1plus, as, collect2 and ld; what they built is run. The output files are compared.
set -e
cat > main.cc <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
template <int N> struct Sum { static constexpr long value = Sum<N - 1>::value + N; };
template <> struct Sum<0> { static constexpr long value = 0; };
int main() {
  std::map<std::string, int> m;
  for (int i = 0; i < 100; i++) m[std::to_string(i % 17)] += i;
  std::cout << m.size() << ' ' << Sum<300>::value << '\n';
}
END
cat > main.c <<'END'
#include <stdio.h>
int f(int);
int main(void) { return printf("%d\n", f(3)) != 3; }
END
echo 'int f(int x) { return x * 14; }' > part.c
g++ -O1 -o from_cc main.cc
gcc -O2 -pipe -save-temps=obj -o from_c main.c part.c
gcc -O2 -flto=2 -o from_lto main.c part.c
if gcc -o nothing part.c 2> errors; then exit 9; fi
grep -c 'undefined reference' errors
./from_cc
./from_c
./from_lto
sha256sum from_cc from_c from_lto
