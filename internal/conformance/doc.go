// Package conformance judges a WebSocket echo endpoint, server or client,
// case by case: the 517 cases of the published Autobahn list by their ids, and
// a table of hostile cases of its own.
//
// It is not part of the kit: it imports none of it, and shares neither frame
// nor compression code with what it judges.
package conformance
