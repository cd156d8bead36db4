//go:build !linux

package split

// NewReadiness returns the cheapest readiness of this system: a Poller on
// Linux, [Parked] elsewhere.
func NewReadiness() Readiness { return NewParked() }
