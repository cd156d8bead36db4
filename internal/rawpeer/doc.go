// Package rawpeer is a scripted WebSocket peer for tests: it says exactly what
// it is told, right or wrong, and judges every octet that comes back.
//
// It is not a client or a server library: it has no limits worth the name, no
// concurrency and no recovery, and it shares no code with the packages it
// helps to test.
package rawpeer
