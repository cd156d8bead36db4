//go:build unix && (!linux || 386 || s390x)

package split

// look leaves it to the read, where it has no system call of its own.
func look(int) error { return nil }
