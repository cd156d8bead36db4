// Package observability tests what operators are given: it starts a real
// Prometheus, lets it scrape the chat under load and a server that is brought
// into every kind of trouble, and runs every query of every dashboard.
package observability
