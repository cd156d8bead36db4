package compare

import "time"

// Sample is what one cell measured.
type Sample struct {
	Cost           float64 // in the workload's unit
	Rate           float64 // messages, deliveries or handshakes a second
	P50, P99, P999 time.Duration
	Allocs         float64 // a message
	// RSS is the server's resident memory at the end, in MiB; for idle
	// connections what it was before garbage was given back, in KiB for each.
	RSS float64
	// Heap is, for idle connections, KiB of heap and stack for each.
	Heap       float64
	SlowClosed int
}
