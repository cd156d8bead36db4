package main

import "time"

// The rate of messages that one connection may send.
const (
	messagesPerSecond = 10
	messageBurst      = 20
	// maxRefusedInRow is how many messages in a row may be too fast.
	// Over it: close 1008.
	maxRefusedInRow = 100
)

// limiter is a token bucket. The zero value is a full one.
type limiter struct {
	tokens float64
	filled time.Time
}

// allow takes a token if there is one.
func (l *limiter) allow(now time.Time) bool {
	if l.filled.IsZero() {
		l.tokens = messageBurst
	} else {
		l.tokens = min(messageBurst, l.tokens+now.Sub(l.filled).Seconds()*messagesPerSecond)
	}
	l.filled = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}
