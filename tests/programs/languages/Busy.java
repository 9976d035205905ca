// SPDX-License-Identifier: Apache-2.0
// What makes a Java virtual machine special to a distributed process: code that is compiled and patched while other threads
// run it, implicit null checks (real SIGSEGV), safepoints (a page that is protected to stop all threads), a moving
// collector that reads and writes everybody's memory, and locks of its own. Each part is checked and printed.

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

public final class Busy {
    static final int kThreads = 4;

    static final class Node {
        Node left, right;
        long value;

        Node(long value) {
            this.value = value;
        }
    }

    interface Shape {
        double area();
    }

    record Square(double side) implements Shape {
        public double area() {
            return side * side;
        }
    }

    record Disc(double radius) implements Shape {
        public double area() {
            return 3 * radius * radius;
        }
    }

    record Strip(double length) implements Shape {
        public double area() {
            return length;
        }
    }

    /** The virtual call is compiled for one class, then for two, then for any: code is patched while others run it. */
    static double shapes(int rounds) {
        Shape[] kinds = {new Square(2), new Disc(3), new Strip(5)};
        double sum = 0;
        for (int i = 0; i < rounds; ++i) {
            int known = i < rounds / 3 ? 1 : i < 2 * rounds / 3 ? 2 : 3;
            sum += kinds[i % known].area();
        }
        return sum;
    }

    /** Trees that die at once, and some that stay: the collector has work in all generations. */
    static long garbage(int seed, int rounds, List<Node> kept) {
        long sum = 0;
        long state = seed;
        for (int i = 0; i < rounds; ++i) {
            Node root = new Node(state);
            for (int j = 0; j < 200; ++j) {
                state = state * 6364136223846793005L + 1442695040888963407L;
                insert(root, state >>> 40);
            }
            sum += depth(root);
            if (i % 16 == 0) {
                kept.add(root);
            }
        }
        for (Node root : kept) {
            sum = sum * 31 + total(root);
        }
        return sum;
    }

    static void insert(Node at, long value) {
        for (;;) {
            if (value < at.value) {
                if (at.left == null) {
                    at.left = new Node(value);
                    return;
                }
                at = at.left;
            } else {
                if (at.right == null) {
                    at.right = new Node(value);
                    return;
                }
                at = at.right;
            }
        }
    }

    static int depth(Node at) {
        return at == null ? 0 : 1 + Math.max(depth(at.left), depth(at.right));
    }

    static long total(Node at) {
        return at == null ? 0 : at.value + total(at.left) + total(at.right);
    }

    /** The hot path has no explicit check: compiled code takes the processor's fault. */
    static int nullChecks(int rounds) {
        Node[] nodes = new Node[64];
        for (int i = 0; i < nodes.length; ++i) {
            nodes[i] = new Node(i);
        }
        int caught = 0;
        long sum = 0;
        for (int i = 0; i < rounds; ++i) {
            if (i % 5000 == 4999) {
                nodes[i % 64] = null;
            }
            try {
                sum += nodes[i % 64].value;
            } catch (NullPointerException expected) {
                ++caught;
                nodes[i % 64] = new Node(1);
            }
        }
        return caught + (int) (sum % 1000);
    }

    static int deep(int level) {
        return level == 0 ? 1 : 1 + deep(level - 1);
    }

    static int overflow() {
        return 1 + overflow();
    }

    static int exceptions(int rounds) {
        int caught = 0;
        for (int i = 0; i < rounds; ++i) {
            try {
                if (i % 3 == 0) {
                    throw new IllegalStateException("number " + i);
                }
                if (i % 3 == 1) {
                    caught += new int[4][i % 5].length > 3 ? 1 : 0;
                    caught += new int[3][2][i % 4].length;
                } else {
                    caught += 100 / (i % 2);
                }
            } catch (IllegalStateException e) {
                caught += e.getMessage().length();
            } catch (ArithmeticException | ArrayIndexOutOfBoundsException e) {
                caught += 1;
            }
        }
        try {
            caught += overflow();
        } catch (StackOverflowError expected) {
            caught += 1000;
        }
        return caught + deep(1000);
    }

    static long counter;
    static final Object kLock = new Object();

    static void synchronizedCounts(int rounds) {
        for (int i = 0; i < rounds; ++i) {
            synchronized (kLock) {
                ++counter;
            }
        }
    }

    static int turn;

    static int passToken(int me, int rounds) throws InterruptedException {
        int taken = 0;
        for (int i = 0; i < rounds; ++i) {
            synchronized (kLock) {
                while (turn != me) {
                    kLock.wait();
                }
                turn = (me + 1) % kThreads;
                ++taken;
                kLock.notifyAll();
            }
        }
        return taken;
    }

    interface Part {
        Object run(int thread) throws Exception;
    }

    static void parallel(String name, ExecutorService pool, Part part) throws Exception {
        List<Future<Object>> results = new ArrayList<>();
        for (int t = 0; t < kThreads; ++t) {
            final int thread = t;
            results.add(pool.submit(() -> part.run(thread)));
        }
        StringBuilder line = new StringBuilder(name).append(':');
        for (Future<Object> result : results) {
            line.append(' ').append(result.get());
        }
        System.out.println(line);
    }

    public static void main(String[] arguments) throws Exception {
        final int scale = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 1;
        ExecutorService pool = Executors.newFixedThreadPool(kThreads);
        parallel("shapes", pool, t -> shapes(3000000 * scale + t));
        parallel("garbage", pool, t -> garbage(t + 1, 2000 * scale, new ArrayList<>()));
        parallel("null checks", pool, t -> nullChecks(1000000 * scale));
        parallel("exceptions", pool, t -> exceptions(20000 * scale));
        parallel("synchronized", pool, t -> {
            synchronizedCounts(20000 * scale);
            return "done";
        });
        System.out.println("counter: " + counter);
        parallel("token", pool, t -> passToken(t, 50 * scale));
        ConcurrentHashMap<Integer, AtomicLong> map = new ConcurrentHashMap<>();
        parallel("map", pool, t -> {
            for (int i = 0; i < 20000 * scale; ++i) {
                map.computeIfAbsent(i * 7 % 1009, k -> new AtomicLong()).addAndGet(i);
            }
            return "done";
        });
        System.out.println("map: " + map.size() + " sum: " + map.values().stream().mapToLong(AtomicLong::get).sum());
        System.out.println("stream: " + LongStream.range(0, 2000000L * scale).parallel()
                .filter(i -> Long.bitCount(i) % 2 == 0).map(i -> i * i % 1000003).sum());
        Map<Integer, Long> groups = IntStream.range(0, 100000 * scale).parallel().boxed()
                .collect(HashMap::new, (m, i) -> m.merge(i % 17, (long) i, Long::sum),
                         (a, b) -> b.forEach((k, v) -> a.merge(k, v, Long::sum)));
        System.out.println("groups: " + groups);
        pool.shutdown();
    }
}
