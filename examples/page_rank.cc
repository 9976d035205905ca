// SPDX-License-Identifier: Apache-2.0
// Which vertices of a random graph are the most important? Power iteration with a barrier after each round.
//
// Why it is instructive: the edges are many and never change, so each node ends up with its own read-only copies; the
// ranks are few and all of them change every round, and every thread reads them all over the place. What travels
// each round is therefore the rank array, whatever the number of edges. A thread writes its part of the new ranks only,
// and the parts begin on page boundaries.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "support.h"

namespace {

constexpr double kDamping = 0.85;
constexpr uint32_t kVerticesPerPage = kPageBytes / sizeof(double);
constexpr size_t kShown = 5;

struct Graph {
  uint32_t vertices;
  std::vector<uint32_t> first_in;    // edges into v: source[first_in[v]] to source[first_in[v + 1]]
  std::vector<uint32_t> source;
  std::vector<uint32_t> out_degree;  // never 0
};

struct Part {
  const Graph* graph;
  uint32_t first, last;  // vertices [first, last)
  long rounds;
  double* share[2];      // rank / out_degree, of this round and of the next
  double* rank;
  pthread_barrier_t* barrier;
};

// Each vertex links to `degree` others; low numbers are linked more often.
Graph make_graph(uint32_t vertices, uint32_t degree) {
  Graph graph{vertices, std::vector<uint32_t>(vertices + 1), {}, std::vector<uint32_t>(vertices, degree)};
  std::vector<uint32_t> target(static_cast<size_t>(vertices) * degree);
  uint64_t state = 1;
  for (uint32_t& to : target) {
    uint64_t range = next_random(&state) % vertices + 1;
    to = static_cast<uint32_t>(next_random(&state) % range);
    graph.first_in[to + 1]++;
  }
  std::partial_sum(graph.first_in.begin(), graph.first_in.end(), graph.first_in.begin());
  graph.source.resize(target.size());
  std::vector<uint32_t> next(graph.first_in.begin(), graph.first_in.end() - 1);
  for (size_t i = 0; i < target.size(); i++) graph.source[next[target[i]]++] = static_cast<uint32_t>(i / degree);
  return graph;
}

void* compute(void* argument) {
  const auto* part = static_cast<const Part*>(argument);
  const Graph& graph = *part->graph;
  const double base = (1.0 - kDamping) / graph.vertices;
  for (uint32_t v = part->first; v < part->last; v++) part->share[0][v] = 1.0 / graph.vertices / graph.out_degree[v];
  pthread_barrier_wait(part->barrier);
  for (long round = 0; round < part->rounds; round++) {
    const double* from = part->share[round % 2];
    double* to = part->share[(round + 1) % 2];
    for (uint32_t v = part->first; v < part->last; v++) {
      double sum = 0;
      for (uint32_t e = graph.first_in[v]; e < graph.first_in[v + 1]; e++) sum += from[graph.source[e]];
      part->rank[v] = base + kDamping * sum;
      to[v] = part->rank[v] / graph.out_degree[v];
    }
    pthread_barrier_wait(part->barrier);
  }
  return nullptr;
}

double* make_array(uint32_t count) { return static_cast<double*>(page_aligned(count * sizeof(double))); }

}  // namespace

int main(int argc, char** argv) {
  long threads = option(argc, argv, "--threads", 4, 1, kMaxThreads);
  auto vertices = static_cast<uint32_t>(option(argc, argv, "--vertices", 200000, 16, 100000000));
  auto degree = static_cast<uint32_t>(option(argc, argv, "--degree", 16, 1, 40));
  long rounds = option(argc, argv, "--rounds", 200, 1, 1000000);
  Graph graph = make_graph(vertices, degree);
  double* rank = make_array(vertices);
  double* share[2] = {make_array(vertices), make_array(vertices)};
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(threads));

  std::vector<Part> parts;
  auto boundary = [&](long i) {
    uint32_t at = static_cast<uint32_t>(static_cast<uint64_t>(vertices) * static_cast<uint64_t>(i) / static_cast<uint64_t>(threads));
    return i == threads ? vertices : at / kVerticesPerPage * kVerticesPerPage;
  };
  for (long i = 0; i < threads; i++) {
    parts.push_back({&graph, boundary(i), boundary(i + 1), rounds, {share[0], share[1]}, rank, &barrier});
  }
  double begin = seconds_now();
  run_threads(compute, parts.data(), sizeof(Part), threads);
  fprintf(stderr, "page_rank: %.2f s\n", seconds_now() - begin);

  double sum = std::accumulate(rank, rank + vertices, 0.0);
  bool right = std::fabs(sum - 1.0) < 1e-9;  // rank is never created nor lost
  printf("page_rank: %u vertices, %u edges each, %ld rounds, digest %016llx, %s\n", vertices, degree, rounds,
         static_cast<unsigned long long>(digest(rank, vertices * sizeof(double))), right ? "ranks add up to 1" : "WRONG");
  std::vector<uint32_t> order(vertices);
  std::iota(order.begin(), order.end(), 0u);
  size_t shown = std::min<size_t>(kShown, vertices);
  std::partial_sort(order.begin(), order.begin() + static_cast<long>(shown), order.end(),
                    [&](uint32_t a, uint32_t b) { return rank[a] != rank[b] ? rank[a] > rank[b] : a < b; });
  for (size_t i = 0; i < shown; i++) printf("  vertex %6u  %.9f\n", order[i], rank[order[i]]);
  return right ? 0 : 1;
}
