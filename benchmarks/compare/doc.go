// Package compare runs servers side by side under the same load and reports
// what a message costs each of them in processor time, memory and latency.
//
// It is not a benchmark of codecs, which package codec is, and it needs Linux.
package compare
