// SPDX-License-Identifier: Apache-2.0
// Goroutines and channels over several kernel threads: a pipeline of hashes, a channel that many send to, a mutex, select with
// time-outs, panics that are recovered (nil pointers are real SIGSEGVs), timers. The collector runs now and then.
// Prints sums that do not depend on the order in which things happened.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const workers = 4

type job struct {
	number int
	data   []byte
}

type result struct {
	number int
	digest [32]byte
}

func block(number int) []byte {
	data := make([]byte, 64<<10)
	state := uint64(number)*2654435761 + 1
	for i := range data {
		state = state*6364136223846793005 + 1442695040888963407
		data[i] = byte(state >> 56)
	}
	return data
}

// pipeline: one makes blocks, four hash them, one collects.
func pipeline(blocks int) [32]byte {
	jobs, results := make(chan job, 8), make(chan result, 8)
	var group sync.WaitGroup
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := range jobs {
				digest := sha256.Sum256(j.data)
				for round := 0; round < 12; round++ {
					again := sha256.New()
					again.Write(digest[:])
					again.Write(j.data)
					again.Sum(digest[:0])
				}
				results <- result{j.number, digest}
			}
		}()
	}
	go func() {
		for n := 0; n < blocks; n++ {
			jobs <- job{n, block(n)}
		}
		close(jobs)
		group.Wait()
		close(results)
	}()
	all := make([]result, 0, blocks)
	for r := range results {
		all = append(all, r)
	}
	sort.Slice(all, func(a, b int) bool { return all[a].number < all[b].number })
	total := sha256.New()
	for _, r := range all {
		total.Write(r.digest[:])
	}
	var sum [32]byte
	copy(sum[:], total.Sum(nil))
	return sum
}

// primes: a chain of goroutines, each of which filters what the one before lets through.
func primes(count int) int {
	first := make(chan int)
	stop := make(chan struct{})
	go func() {
		for i := 2; ; i++ {
			select {
			case first <- i:
			case <-stop:
				return
			}
		}
	}()
	last, in := 0, first
	for i := 0; i < count; i++ {
		last = <-in
		out := make(chan int)
		go func(in, out chan int, prime int) {
			for {
				select {
				case n := <-in:
					if n%prime != 0 {
						select {
						case out <- n:
						case <-stop:
							return
						}
					}
				case <-stop:
					return
				}
			}
		}(in, out, last)
		in = out
	}
	close(stop)
	return last
}

type node struct {
	left, right *node
	value       int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{value: 1}
	}
	return &node{tree(depth - 1), tree(depth - 1), depth}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

func recovered(number int) (caught string) {
	defer func() { caught = fmt.Sprint(recover()) }()
	switch number % 3 {
	case 0:
		var missing *node
		return strconv.Itoa(missing.value)
	case 1:
		return strconv.Itoa([]int{1, 2, 3}[number])
	}
	return strconv.Itoa(10 / (number % 2 * 0))
}

func inParallel(part func(worker int) int) []int {
	sums := make([]int, workers)
	var group sync.WaitGroup
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			sums[w] = part(w)
		}(w)
	}
	group.Wait()
	return sums
}

func main() {
	scale := 1
	if len(os.Args) > 1 {
		scale, _ = strconv.Atoi(os.Args[1])
	}
	runtime.GOMAXPROCS(workers)
	debug.SetGCPercent(100)
	fmt.Printf("pipeline: %x\n", pipeline(200*scale))
	fmt.Println("prime:", primes(60))
	fmt.Println("trees:", inParallel(func(w int) int {
		sum := 0
		for i := 0; i < 6*scale; i++ {
			sum += tree(12 + w%2).sum()
		}
		return sum
	}))
	fmt.Println("panics:", inParallel(func(w int) int {
		length := 0
		for i := 0; i < 300*scale; i++ {
			length += len(recovered(3*i + i%3))
		}
		return length
	}))
	var lock sync.Mutex
	var counted int64
	table := map[int]int{}
	inParallel(func(w int) int {
		for i := 0; i < 3000*scale; i++ {
			lock.Lock()
			table[i%101] += w
			lock.Unlock()
			atomic.AddInt64(&counted, 1)
		}
		return 0
	})
	sum := 0
	for _, v := range table {
		sum += v
	}
	fmt.Println("counted:", counted, "table:", sum)
	timeouts := inParallel(func(w int) int {
		n := 0
		never := make(chan int)
		for i := 0; i < 10; i++ {
			select {
			case <-never:
			case <-time.After(time.Millisecond):
				n++
			}
		}
		return n
	})
	fmt.Println("time-outs:", timeouts)
	// A loop without a call is preempted by a signal.
	spun := make([]int64, workers*1024)
	inParallel(func(w int) int {
		for i := 0; i < 30000000*scale; i++ {
			spun[w*1024] += int64(i) & 3
		}
		return 0
	})
	fmt.Println("spun:", spun[0], spun[1024], spun[2048], spun[3072])
}
