// SPDX-License-Identifier: Apache-2.0
// The most frequent words of a text: `word_count [--mib N] [FILE]`; without FILE a text is made up.
//
// Why it is instructive: ordinary C++ (strings, hash tables, malloc in every thread), read-mostly input, and a
// reduction. The tables are built by one thread and read by another, so the nodes of a hash table travel as they are,
// pointers included: there is one address space.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "support.h"

namespace {

using Counts = std::unordered_map<std::string, uint64_t>;

constexpr size_t kVocabulary = 20000;
constexpr size_t kShown = 10;

struct Part {
  std::string_view text;
  Counts counts;
};

std::string make_word(uint64_t number) {
  static constexpr std::string_view kSyllables[] = {"ba", "co", "di", "fu", "ga", "ho", "ki", "lu",
                                                    "ma", "no", "pe", "ru", "sa", "ti", "vo", "zu"};
  std::string word;
  do {
    word += kSyllables[number % std::size(kSyllables)];
    number /= std::size(kSyllables);
  } while (number != 0);
  return word;
}

// Frequent words are much more frequent than rare ones, as in a real text.
std::string make_text(size_t bytes) {
  std::vector<std::string> vocabulary;
  for (size_t i = 0; i < kVocabulary; i++) vocabulary.push_back(make_word(i));
  std::string text;
  text.reserve(bytes + 64);
  uint64_t state = 1;
  while (text.size() < bytes) {
    uint64_t range = next_random(&state) % (next_random(&state) % kVocabulary + 1) + 1;
    text += vocabulary[next_random(&state) % range];
    text += next_random(&state) % 12 == 0 ? '\n' : ' ';
  }
  return text;
}

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) stop_with("cannot read the file");
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Cuts the text into parts of about equal size, at spaces.
std::vector<Part> cut(std::string_view text, size_t count) {
  std::vector<Part> parts;
  size_t begin = 0;
  for (size_t i = 1; i <= count; i++) {
    size_t end = i == count ? text.size() : std::max(begin, text.size() / count * i);
    while (end < text.size() && !is_space(text[end])) end++;
    parts.push_back({text.substr(begin, end - begin), {}});
    begin = end;
  }
  return parts;
}

void* count_words(void* argument) {
  auto* part = static_cast<Part*>(argument);
  std::string_view text = part->text;
  size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_space(text[at])) at++;
    size_t begin = at;
    while (at < text.size() && !is_space(text[at])) at++;
    if (at > begin) part->counts[std::string(text.substr(begin, at - begin))]++;
  }
  return nullptr;
}

const char* file_argument(int argc, char** argv) {
  int i = 1;
  while (i < argc && argv[i][0] == '-') i += 2;  // an option and its value
  return i < argc ? argv[i] : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  long threads = option(argc, argv, "--threads", 4, 1, kMaxThreads);
  long mib = option(argc, argv, "--mib", 128, 1, 4096);
  const char* path = file_argument(argc, argv);
  std::string text = path ? read_file(path) : make_text(static_cast<size_t>(mib) << 20);

  double begin = seconds_now();
  std::vector<Part> parts = cut(text, static_cast<size_t>(threads));
  run_threads(count_words, parts.data(), sizeof(Part), threads);
  Counts total;
  for (const Part& part : parts) {
    for (const auto& [word, count] : part.counts) total[word] += count;
  }
  fprintf(stderr, "word_count: %.2f s\n", seconds_now() - begin);

  std::vector<std::pair<std::string, uint64_t>> ranking(total.begin(), total.end());
  std::sort(ranking.begin(), ranking.end(),
            [](const auto& a, const auto& b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
  uint64_t words = 0;
  for (const auto& [word, count] : ranking) words += count;
  printf("word_count: %llu words, %zu different\n", static_cast<unsigned long long>(words), ranking.size());
  for (size_t i = 0; i < std::min(kShown, ranking.size()); i++) {
    printf("  %10llu %s\n", static_cast<unsigned long long>(ranking[i].second), ranking[i].first.c_str());
  }
  return 0;
}
