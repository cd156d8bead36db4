//go:build !amd64 || purego

package wscore

// maskLong masks more than 32 bytes.
func maskLong(p []byte, key uint32) { maskWords(p, key) }
