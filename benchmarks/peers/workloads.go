// SPDX-License-Identifier: BSL-1.0

// The workloads of docs/performance.md in Go: a server is a goroutine that reads a channel, and every
// call brings a channel for its answer.
//
//	workloads W1 1
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

type message struct {
	n      int
	hops   int // of a token that goes round a ring
	answer chan int
}

type server chan message

func start(capacity int, next server) server {
	mailbox := make(server, capacity)
	mailbox.run(next)
	return mailbox
}

func (mailbox server) run(next server) {
	go func() {
		count := 0
		for m := range mailbox {
			if m.hops > 1 {
				m.hops--
				next <- m
				continue
			}
			count += m.n
			if m.answer != nil {
				m.answer <- count
			}
		}
	}()
}

func (mailbox server) call(n int) int {
	answer := make(chan int, 1)
	mailbox <- message{n: n, answer: answer}
	return <-answer
}

func (mailbox server) callFor(timeout time.Duration, n int) int {
	answer := make(chan int, 1)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case mailbox <- message{n: n, answer: answer}:
	case <-timer.C:
		panic("timeout")
	}
	select {
	case count := <-answer:
		return count
	case <-timer.C:
		panic("timeout")
	}
}

func calls(n int) func() int {
	counter := start(1024, nil)
	return func() int {
		for i := 0; i < n; i++ {
			counter.call(1)
		}
		return n
	}
}

func callsWithTimeout() int {
	counter := start(1024, nil)
	const n = 1000000
	for i := 0; i < n; i++ {
		counter.callFor(5*time.Second, 1)
	}
	return n
}

func callsByName() func() int {
	var mutex sync.RWMutex
	names := map[string]server{}
	for i := 0; i < 1000; i++ {
		names["server_name_"+strconv.Itoa(i)] = start(1024, nil)
	}
	return func() int {
		const n = 1000000
		for i := 0; i < n; i++ {
			mutex.RLock()
			counter := names["server_name_500"]
			mutex.RUnlock()
			counter.call(1)
		}
		return n
	}
}

func casts() int {
	counter := start(1024, nil)
	const n = 3000000
	for i := 0; i < n; i++ {
		counter <- message{n: 1}
	}
	counter.call(1)
	return n
}

func manyClients() int {
	counter := start(1024, nil)
	var clients sync.WaitGroup
	for k := 0; k < 1000; k++ {
		clients.Add(1)
		go func() {
			defer clients.Done()
			for i := 0; i < 1000; i++ {
				counter.call(1)
			}
		}()
	}
	clients.Wait()
	return 1000 * 1000
}

const spawned = 100000

func startAndCall() []server {
	servers := make([]server, 0, spawned)
	for i := 0; i < spawned; i++ {
		counter := start(16, nil)
		counter.call(1)
		servers = append(servers, counter)
	}
	return servers
}

func ring() func() int {
	servers := make([]server, 1000)
	for i := range servers {
		servers[i] = make(server, 16)
	}
	for i, mailbox := range servers {
		mailbox.run(servers[(i+1)%len(servers)])
	}
	return func() int {
		const hops = 1000 * 1000
		answer := make(chan int, 1)
		servers[0] <- message{hops: hops, answer: answer}
		<-answer
		return hops
	}
}

func residentBytes() int {
	line, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(line))[1])
	return pages * os.Getpagesize()
}

func main() {
	workload := os.Args[1]
	threads, _ := strconv.Atoi(os.Args[2])
	runtime.GOMAXPROCS(threads)

	if workload == "W5rss" {
		before := residentBytes()
		servers := startAndCall()
		fmt.Println(workload, float64(residentBytes()-before)/float64(len(servers)))
		return
	}
	bodies := map[string]func() int{
		"W1":      calls(2000000),
		"W2":      calls(1000000),
		"W3_1":    casts,
		"W3_2":    casts,
		"W4":      manyClients,
		"W5spawn": func() int { return len(startAndCall()) },
		"W7":      callsWithTimeout,
	}
	// These set much up, which the others should not have beside them.
	switch workload {
	case "W5ring":
		bodies[workload] = ring()
	case "W6":
		bodies[workload] = callsByName()
	}
	begin := time.Now()
	operations := bodies[workload]()
	fmt.Println(workload, float64(time.Since(begin).Nanoseconds())/float64(operations))
}
