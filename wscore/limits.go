package wscore

import (
	"fmt"
	"math"
)

// Limits bounds what a peer may ask of this side. The zero value of a field
// means its default; a peer that goes over a limit is refused with the close
// code named there (RFC 6455 sections 7.4.1 and 10.4). What is exactly at a
// limit passes. The counts go up to 2147483647.
type Limits struct {
	// MaxFrame is the longest payload of one frame in bytes; a compressed one may
	// be longer by an eighth and 64 bytes. Default: MaxMessage. Over it: 1009.
	MaxFrame int64
	// MaxMessage is the longest message in bytes, all fragments together and
	// inflated; its compressed form may be longer by an eighth and 64 bytes.
	// Default: [DefaultMaxMessage]. Over it: 1009, at the header, before any
	// payload is read.
	MaxMessage int64
	// MaxFragments is the largest number of frames in one message.
	// Default: [DefaultMaxFragments]. Over it: 1008.
	MaxFragments int
	// MaxEmptyFragments is the largest number of frames without payload in one
	// fragmented message. Default: [DefaultMaxEmptyFragments]. Over it: 1008.
	MaxEmptyFragments int
}

// Defaults of [Limits].
const (
	DefaultMaxMessage        = 1 << 20 // bytes
	DefaultMaxFragments      = 131_072 // frames
	DefaultMaxEmptyFragments = 64      // frames
)

// WithDefaults returns l with each zero field replaced by its default, or a
// [ConfigError] for a negative one.
func (l Limits) WithDefaults() (Limits, error) {
	if l.MaxMessage == 0 {
		l.MaxMessage = DefaultMaxMessage
	}
	if l.MaxFrame == 0 {
		l.MaxFrame = l.MaxMessage
	}
	if l.MaxFragments == 0 {
		l.MaxFragments = DefaultMaxFragments
	}
	if l.MaxEmptyFragments == 0 {
		l.MaxEmptyFragments = DefaultMaxEmptyFragments
	}
	for _, field := range [...]struct {
		name  string
		value int64
		most  int64
	}{
		{"MaxMessage", l.MaxMessage, math.MaxInt64},
		{"MaxFrame", l.MaxFrame, math.MaxInt64},
		{"MaxFragments", int64(l.MaxFragments), math.MaxInt32},
		{"MaxEmptyFragments", int64(l.MaxEmptyFragments), math.MaxInt32},
	} {
		if field.value < 1 || field.value > field.most {
			return l, &ConfigError{Field: field.name, Value: field.value, Range: fmt.Sprintf("1 to %d (0 for the default)", field.most)}
		}
	}
	return l, nil
}

// copied is a function of its own so that only who needs a copy allocates.
//
//go:noinline
func (l Limits) copied() *Limits { return &l }
