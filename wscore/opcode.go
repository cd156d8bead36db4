package wscore

import "strconv"

// Opcode says what a frame carries (RFC 6455 section 5.2).
type Opcode uint8

// The opcodes that RFC 6455 defines; every other value is reserved.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// IsControl reports whether o is close, ping, pong or a reserved control
// opcode (RFC 6455 section 5.5).
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

// IsData reports whether o is continuation, text or binary.
func (o Opcode) IsData() bool { return o <= OpBinary }

// IsReserved reports whether RFC 6455 gives o no meaning.
func (o Opcode) IsReserved() bool { return o > OpPong || o > OpBinary && o < OpClose }

// String returns the lower-case name of the opcode, as used in metric labels.
func (o Opcode) String() string {
	switch o {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	}
	return "reserved-" + strconv.Itoa(int(o))
}

// Role is the side of the connection that this process plays. A client masks
// what it sends, a server does not (RFC 6455 section 5.1).
type Role uint8

// The two roles.
const (
	Server Role = iota
	Client
)

// String returns "server" or "client".
func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}
