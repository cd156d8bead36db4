// Package differential compares what wscore, gorilla and gobwas make of the
// same bytes, as servers. It has tests only; it is no part of Tandem.
package differential
