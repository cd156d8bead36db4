// Package metrics counts what a Tandem server does, as Prometheus metrics: one
// [Collector], which is the server's observer, is registered once and is cheap
// enough for the path of every frame.
//
// It serves no endpoint, decides nothing and knows no single connection: the
// program chooses how the registry is exposed, and no label grows with the
// number of connections, users or messages.
//
// The README in this folder lists every metric and what to look for in it.
package metrics
